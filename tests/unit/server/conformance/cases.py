"""Archives that TorchServe and the Python server have to answer alike."""

from tests.unit.server.conformance.plain import PLAIN
from tests.unit.server.conformance.stateful import STATEFUL
from tests.unit.server.conformance.with_torch import WITH_TORCH

WITHOUT_TORCH = {**PLAIN, **STATEFUL}
CASES = {**WITHOUT_TORCH, **WITH_TORCH}
MODULES = {
    name: text
    for case in WITH_TORCH.values()
    for name, text in case.files.items()
    if name[-3:] == ".py" and "/" not in name
}
