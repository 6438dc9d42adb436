"""The base of the handlers that have a model: it loads what TorchServe's base handler does not.

That are programs of torch.export (``.pt2``), compiled or not, ONNX (``.onnx``), and weights in
safetensors for the archive's model file. All else, a ``state_dict`` and TorchScript, is left to the
base handler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from ts.torch_handler.base_handler import BaseHandler

from slipway_handlers.formats import code, compiled, safetensors
from slipway_handlers.formats.onnx import OnnxModel


def load_program(path: Path, device: torch.device) -> Any:
    """Return the model of a program of torch.export, which was exported on the CPU, or compiled.

    torch unpickles what is not plain in it, and looks up whatever functions it names: it is code.
    """
    code.check_allowed(path)
    made_for = compiled.target(path)
    if made_for is not None:
        return compiled.load(path, made_for, device)
    program = torch.export.load(path)
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, str(device))
    return program.module()


LOADERS: Mapping[str, Callable[[Path, torch.device], Any]] = {
    ".pt2": load_program,
    ".onnx": lambda path, _: OnnxModel(path),
}
"""What loads a file onto a device, by the end of its name."""
LIBRARY = ".so"
"""The end of the name of a compiled library, which TorchServe's base handler loads unasked."""


class ModelHandler(BaseHandler):  # type: ignore[misc]
    """Loads the archive's model in any of its formats; what it does with it is its heirs'."""

    def initialize(self, context: Any) -> None:
        """Load the model; raises what loading raises."""
        name = context.manifest["model"].get("serializedFile") or ""
        load = LOADERS.get(Path(name).suffix)
        if load is None:
            if name.endswith(LIBRARY):
                code.check_allowed(Path(name))
            super().initialize(context)
            return
        from ts.utils.util import load_label_mapping

        properties = context.system_properties
        gpu = properties.get("gpu_id")
        on_gpu = gpu is not None and torch.cuda.is_available()
        folder = Path(properties["model_dir"])
        self.context, self.manifest = context, context.manifest
        self.model_yaml_config = context.model_yaml_config
        self.map_location = "cuda" if on_gpu else "cpu"
        self.device = torch.device(f"cuda:{gpu}" if on_gpu else "cpu")
        self.model_pt_path = str(folder / name)
        self.model = load(folder / name, self.device)
        self.mapping = load_label_mapping(str(folder / "index_to_name.json"))
        self.initialized = True

    def _load_pickled_model(self, model_dir: str, model_file: str, model_pt_path: str) -> Any:
        """Return the model file's only module with its weights; TorchServe calls it so."""
        if not str(model_pt_path).endswith(".safetensors"):
            return super()._load_pickled_model(model_dir, model_file, model_pt_path)
        model = super()._load_pickled_model(model_dir, model_file, None)
        model.load_state_dict(safetensors.read(Path(model_pt_path)))
        return model
