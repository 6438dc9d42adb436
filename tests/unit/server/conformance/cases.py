"""Archives that TorchServe and the Python server have to answer alike."""

from tests.unit.server.conformance.plain import PLAIN
from tests.unit.server.conformance.with_torch import WITH_TORCH

CASES = {**PLAIN, **WITH_TORCH}
MODULES = {
    name: text
    for case in WITH_TORCH.values()
    for name, text in case.files.items()
    if name[-3:] == ".py"
}
