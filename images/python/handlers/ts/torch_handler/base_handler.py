"""What most handlers inherit: loading a model, and the three steps of an answer."""

import importlib
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import torch
from ts.handler_utils.timer import timed
from ts.utils.util import (
    check_valid_pt2_backend,
    list_classes_from_module,
    load_label_mapping,
)

logger = logging.getLogger(__name__)
PICKLES_ALLOWED = "SLIPWAY_ALLOW_PICKLED_MODELS"
"""Variable of the environment that lets archives load pickled modules where it is ``true``."""
COMPILED = "data/aotinductor/"
"""Where AOTInductor's machine code lies in a ``.pt2``, below its only folder."""


def _compile_options(pt2: Any) -> dict[str, Any] | None:
    """Return torch.compile's options as model-config.yaml's ``pt2`` has them; None for none.

    It is a backend's name, a ``compile`` with ``enable`` and options, or, as before TorchServe
    0.12, the options themselves.
    """
    if not pt2:
        return None
    if isinstance(pt2, str):
        return {"backend": pt2}
    if not isinstance(pt2, dict):
        raise ValueError("model-config.yaml: pt2 is a backend's name or a mapping")
    if "compile" not in pt2:
        return None if "export" in pt2 else dict(pt2)
    options = dict(pt2["compile"])
    return options if options.pop("enable", False) else None


class BaseHandler:
    """Loads a model, and answers a batch by ``preprocess``, ``inference`` and ``postprocess``.

    A model is a state_dict (``.pt``, ``.pth``, ``.bin``) for the class of the archive's model file;
    weights in ``.safetensors`` for it; a TorchScript file; a program of torch.export (``.pt2``); or
    an ONNX file, whose model is a session of ONNX Runtime. A ``.pt2`` and a pickled module
    (``pickledModel: true`` in model-config.yaml) can run any code as they load:
    ``SLIPWAY_ALLOW_PICKLED_MODELS`` allows it.
    """

    def __init__(self) -> None:
        self.model: Any = None
        self.mapping: dict[str, Any] | None = None
        self.device: Any = None
        self.initialized = False
        self.context: Any = None
        self.model_pt_path: str | None = None
        self.manifest: Any = None
        self.map_location = "cpu"
        self.explain = False
        self.target = 0

    def initialize(self, context: Any) -> None:
        """Load the model onto its device."""
        properties = context.system_properties
        self.context, self.manifest = context, context.manifest
        gpu = properties.get("gpu_id")
        on_gpu = torch.cuda.is_available() and gpu is not None
        self.map_location = "cuda" if on_gpu else "cpu"
        self.device = torch.device(f"cuda:{gpu}" if on_gpu else "cpu")
        folder = properties["model_dir"]
        told = self.manifest["model"]
        name = told.get("serializedFile") or ""
        self.model_pt_path = str(Path(folder, name)) if name else None
        self.model = self._load(folder, told.get("modelFile") or "")
        self.mapping = load_label_mapping(str(Path(folder, "index_to_name.json")))
        self.initialized = True

    def _load(self, folder: str, model_file: str) -> Any:
        path = self.model_pt_path
        if path and self.context.model_yaml_config.get("pickledModel"):
            model = self._load_pickled_module(path)
        elif model_file:
            model = self._load_pickled_model(folder, model_file, path)
        elif path is None:
            return None
        elif path.endswith(".pt2"):
            self._check_allowed(path, "is a program of torch.export")
            self._check_not_compiled(path)
            return torch.export.load(path).module()
        elif path.endswith(".onnx"):
            return self._load_onnx_model(path)
        else:
            model = self._load_torchscript_model(path)
        if isinstance(model, torch.nn.Module):
            model.to(self.device)
            model.eval()
        return self._compiled(model)

    def _compiled(self, model: Any) -> Any:
        """Return the model as model-config.yaml's ``pt2`` has it compiled."""
        options = _compile_options(self.context.model_yaml_config.get("pt2"))
        if options is None or not check_valid_pt2_backend(options.get("backend", "inductor")):
            return model
        return torch.compile(model, **options)

    def _load_torchscript_model(self, model_pt_path: str) -> Any:
        return torch.jit.load(model_pt_path, map_location=self.device)

    def _load_onnx_model(self, path: str) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        on_gpu = ["CUDAExecutionProvider"] if self.map_location == "cuda" else []
        providers = [*on_gpu, "CPUExecutionProvider"]
        return onnxruntime.InferenceSession(path, options, providers=providers)

    def _check_allowed(self, path: str, what: str) -> None:
        """Raise RuntimeError where code in a model's file is not allowed."""
        if os.environ.get(PICKLES_ALLOWED) != "true":
            raise RuntimeError(
                f"The archive's {Path(path).name} {what}, and loading it runs whatever code it "
                f"holds. To allow it, have {PICKLES_ALLOWED}=true in the server's environment "
                "(spec.model.allowPickle), or save the model's state_dict."
            )

    def _check_not_compiled(self, path: str) -> None:
        """Raise RuntimeError for machine code, which torch.export would load on any CPU."""
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as bundle:
            names = bundle.namelist()
        if any(each.partition("/")[2].startswith(COMPILED) for each in names):
            raise RuntimeError(
                f"The archive's {Path(path).name} was compiled by AOTInductor, for one kind of CPU "
                "and one version of torch, and this handler cannot tell which: have one of "
                'Slipway\'s built-in handlers load it, or write it with format="pt2".'
            )

    def _load_pickled_module(self, path: str) -> Any:
        self._check_allowed(path, "is pickled, as its model-config.yaml says")
        return torch.load(path, map_location=self.map_location, weights_only=False)

    def _load_pickled_model(
        self, model_dir: str, model_file: str, model_pt_path: str | None
    ) -> Any:
        """Return the model of the archive's only class of modules, with its weights."""
        if not (Path(model_dir) / model_file).is_file():
            raise RuntimeError("Missing the model.py file")
        module = importlib.import_module(Path(model_file).stem)
        classes = [
            cls for cls in list_classes_from_module(module) if issubclass(cls, torch.nn.Module)
        ] or list_classes_from_module(module)
        if len(classes) != 1:
            raise ValueError(
                f"Expected only one class as model definition. {[c.__name__ for c in classes]}"
            )
        model = classes[0]()
        if model_pt_path:
            model.load_state_dict(self._weights(model_pt_path))
        return model

    def _weights(self, path: str) -> Any:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            return load_file(path, device=self.map_location)
        return torch.load(path, map_location=self.map_location, weights_only=True)

    @timed
    def preprocess(self, data: Any) -> Any:
        """Return the batch as a tensor."""
        return torch.as_tensor(data, device=self.device)

    @timed
    def inference(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the model makes of the batch."""
        with torch.inference_mode():
            return self.model(data.to(self.device), *args, **kwargs)

    @timed
    def postprocess(self, data: Any) -> Any:
        """Return the batch's answers as a list."""
        return data.tolist()

    def handle(self, data: Any, context: Any) -> Any:
        """Answer a batch: a list of as many answers as there are requests."""
        self.context = context
        with context.metrics.timed("HandlerTime"):
            if self._is_describe():
                return [self.describe_handle()]
            prepared = self.preprocess(data)
            if self._is_explain():
                return self.explain_handle(prepared, data)
            return self.postprocess(self.inference(prepared))

    def _is_explain(self) -> bool:
        """Tell whether the batch asks for explanations."""
        self.explain = self._is_told("explain")
        return self.explain

    def _is_describe(self) -> bool:
        """Tell whether the batch asks what the model is."""
        return self._is_told("describe")

    def _is_told(self, header: str) -> bool:
        context = self.context
        return context is not None and context.get_request_header(0, header) == "True"

    def get_device(self) -> Any:
        """Return the model's device."""
        return self.device

    def explain_handle(self, data_preprocess: Any, raw_data: Any) -> Any:
        """Answer a batch of explanations by the handler's own ``get_insights``."""
        get_insights = getattr(self, "get_insights", None)
        if get_insights is None:
            raise NotImplementedError("The handler has no get_insights, so it explains nothing.")
        row = raw_data[0] if isinstance(raw_data[0], dict) else {}
        inputs = row.get("data") or row.get("body")
        return get_insights(data_preprocess, inputs, row.get("target") or 0)

    def describe_handle(self) -> Any:
        """Answer what the model is; by default nothing is known of it."""
        return None
