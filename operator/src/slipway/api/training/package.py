"""The archive that a TrainingJob makes of its output."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from slipway.api.base import ApiModel, FilePath, FolderPath, ModelName, ModelVersion, rules
from slipway.api.common import ResourceRequirements
from slipway.api.training.gates import ComparedWith, Gates
from slipway.api.training.optimize import Optimize
from slipway.api.training.retention import PackageRetention
from slipway.api.training.samples import Samples
from slipway.api.trust.encryption import Encrypt
from slipway.api.trust.signature import Sign

BUILT_IN_HANDLERS = (
    "image-classification",
    "sequence",
    "sklearn",
    "tabular",
    "tensor",
    "text-classification",
    "token-classification",
)
"""The release's own handlers, which the packaging pod puts into the archive."""
TORCHSERVE_HANDLERS = (
    "base_handler",
    "dali_image_classifier",
    "image_classifier",
    "image_segmenter",
    "object_detector",
    "text_classifier",
    "trt_llm_handler",
    "vllm_handler",
)
"""Handlers of TorchServe's own. Source: model_handlers of torch-model-archiver 0.12."""
_KNOWN_HANDLERS = (*BUILT_IN_HANDLERS, *TORCHSERVE_HANDLERS)
_OPTIMIZABLE = tuple(name for name in BUILT_IN_HANDLERS if name != "sklearn")
_TOKENIZER = "^(.*/)?(tokenizer[.]py|vocab[.]txt)$"


class PackageConfig(ApiModel):
    """The model's own model-config.yaml, which TorchServe reads from inside the archive."""

    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Requests answered together."""
    max_batch_delay: Annotated[int, Field(ge=0, le=3_600_000)] | None = Field(
        default=None, description="Longest wait for a batch to fill, in milliseconds."
    )
    response_timeout: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="Longest time for one answer, in seconds."
    )
    startup_timeout: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="Longest time for a worker to load the model, in seconds."
    )
    device_type: Literal["cpu", "gpu"] | None = None
    """Where the workers compute."""
    job_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests that may wait for a worker."""
    handler: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ] = Field(
        default=None,
        description="Free settings that the handler reads; those of the release's own handlers "
        "are checked when the archive is made.",
    )


class Package(ApiModel):
    """What the .mar archive is made of; files are looked up in the output, then in the source."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"self.handler.matches('[.]py(:[A-Za-z_][A-Za-z0-9_]*)?$') || "
                f"self.handler in [{', '.join(map(repr, _KNOWN_HANDLERS))}]",
                "package.handler: write a Python file, such as handler.py or handler.py:function, "
                f"or one of {', '.join(BUILT_IN_HANDLERS)}, or TorchServe's own, such as "
                "image_classifier",
            ),
            (
                "!(self.handler in ['text-classification', 'token-classification']) || "
                "(has(self.extraFiles) && "
                f"self.extraFiles.exists(f, f.matches('{_TOKENIZER}')))",
                "package.handler text-classification or token-classification needs vocab.txt or "
                "tokenizer.py: write its name in package.extraFiles",
            ),
            (
                "!has(self.samples) || !has(self.requirementsFile) || "
                "self.installRequirements != 'AtStart'",
                "write package.installRequirements: AtPackaging beside package.samples, which the "
                "model answers before a server pod installs anything",
            ),
            (
                "!has(self.optimize) || has(self.samples)",
                "package.optimize compares answers: write package.samples, with the rows",
            ),
            (
                "!has(self.optimize) || self.serializedFile.matches('[.](pt2|onnx)$')",
                "package.optimize takes an exported model: write it with slipway.export, and name "
                "it in package.serializedFile, such as model.pt2",
            ),
            (
                f"!has(self.optimize) || self.handler in [{', '.join(map(repr, _OPTIMIZABLE))}]",
                "package.optimize asks the model by a handler of the release: write one of "
                f"{', '.join(_OPTIMIZABLE)} in package.handler",
            ),
            (
                "!has(self.gates) || has(self.comparedWith) || "
                "!self.gates.exists(g, has(g.maxRatioToServed) || has(g.minRatioToServed))",
                "write package.comparedWith.name, the ModelDeployment whose archive the ratios of "
                "package.gates compare with",
            ),
        )
    )

    model_name: ModelName | None = Field(
        default=None, description="Name in TorchServe's URLs; the TrainingJob's name by default."
    )
    model_version: ModelVersion | None = Field(
        default=None,
        description="Version in TorchServe's URLs and in the archive's name. By default 1.0 for "
        "the first archive of the job, 1.1 for the next, and so on.",
    )
    repeat: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None,
        description="Change this number to package the stored output again with the rest as it "
        "is, for instance after a change of the source's ConfigMap.",
    )
    serialized_file: FilePath = Field(
        description="The trained model: a state_dict such as model.pt, or weights in safetensors, "
        "for modelFile; or a program with its weights, such as model.pt2 or model.onnx."
    )
    model_file: FilePath | None = Field(
        default=None, description="The Python file with the model's class, for a state_dict."
    )
    handler: FilePath = Field(
        description="The handler's Python file, such as handler.py, which defines one class with "
        "the method handle or a function handle(data, context); a function of another name as "
        "handler.py:function; or by its name a handler of the release (image-classification, "
        "sequence, sklearn, tabular, tensor, text-classification, token-classification), which "
        "comes to lie in the archive, or one of TorchServe's own, such as image_classifier."
    )
    extra_files: Annotated[list[FolderPath], Field(max_length=64)] = Field(default_factory=list)
    """More files that the handler needs. A file goes to the archive's first level; a folder keeps
    its own name and what is beneath it, so that a Python package can be imported."""
    requirements_file: FilePath | None = Field(
        default=None,
        description="A pip requirements file with what the handler imports. By default its "
        "packages are installed once, from wheels, and are part of the archive.",
    )
    install_requirements: Literal["AtPackaging", "AtStart"] = Field(
        default="AtPackaging",
        description="When requirementsFile is installed: AtPackaging from wheels into the archive, "
        "so that server pods need no index; AtStart by pip in each server pod, which takes source "
        "distributions too.",
    )
    resources: ResourceRequirements = Field(
        default_factory=ResourceRequirements,
        description="Resources of the container that makes the archive; those that are not named "
        "are the release's.",
    )
    config: PackageConfig | None = None
    """The model's own model-config.yaml, put into the archive."""
    gates: Gates = Field(
        default_factory=list,
        description="What the package must be good enough for; all must hold. An archive that "
        "misses one is stored and Rejected: no ModelDeployment serves it.",
    )
    compared_with: ComparedWith | None = None
    """The ModelDeployment whose served archive the ratios of gates compare with."""
    samples: Samples | None = None
    """Rows that the packaged model answers, and each of its pods once more before it is ready."""
    optimize: Optimize | None = None
    """Smaller or faster forms of an exported model, which are measured; the best is packaged."""
    encrypt: Encrypt | None = None
    """How the archive is encrypted before it is stored; it is not where absent."""
    sign: Sign | None = None
    """How the archive is signed, as OpenSSF's model signing does; it is not where absent."""
    retention: PackageRetention = Field(default_factory=PackageRetention)
    """Which archives of the job are kept."""

    @property
    def gated(self) -> list[str]:
        """The metrics that gates judge, each once."""
        return [gate.metric for gate in self.gates]

    @property
    def server_config(self) -> PackageConfig | None:
        """What the archive's model-config.yaml says of the server; the handler's part is not."""
        return self.config.model_copy(update={"handler": None}) if self.config else None
