"""The smoke test of a server pod: one stored request must be answered as it is stored.

The file is JSON: ``{"request": any, "expected": any, "tolerance": number}``. ``request`` is sent to
TorchServe itself, before Envoy lets any user's request in. Without ``expected`` an answer is
enough. Numbers are equal where they differ by at most ``tolerance``, or by that share of the
expected number where it is above 1; all else must be the same, keys and lengths too.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway_pods.serve import page

_SHOWN = 200
_MISSING = object()


class SmokeTestError(Exception):
    """The model did not pass; the text is one sentence."""


@dataclass(frozen=True)
class SmokeTest:
    """A request and its answer; ``expected`` is absent where any answer will do."""

    request: Any
    expected: Any = _MISSING
    tolerance: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "SmokeTest":
        """Read the file; raises OSError, ValueError or KeyError for one that is none."""
        found = json.loads(path.read_text(encoding="utf-8"))
        tolerance = float(found.get("tolerance", 0))
        return cls(found["request"], found.get("expected", _MISSING), tolerance)

    def run(self, url: str, timeout: float) -> None:
        """Ask the model at a URL; raises SmokeTestError where the answer is not as expected."""
        answer = _ask(url, json.dumps(self.request).encode(), timeout)
        if self.expected is _MISSING:
            return
        if not answer.whole:
            raise SmokeTestError(
                f"The smoke test's answer is longer than {page.MOST_BYTES} bytes, and cannot be "
                "compared: choose a request with a shorter one."
            )
        difference = compare(_parse(answer.body), self.expected, self.tolerance)
        if difference:
            raise SmokeTestError(f"The smoke test's answer is not the expected one: {difference}.")


def _ask(url: str, body: bytes, timeout: float) -> page.Page:
    try:
        answer = page.ask(url, timeout, body)
    except OSError as error:
        raise SmokeTestError(f"The smoke test's request was not answered: {error}.") from error
    if not 200 <= answer.status <= 299:
        told = answer.body[: 4 * _SHOWN].decode("utf-8", "replace").strip()
        raise SmokeTestError(
            f"The smoke test's request was answered with {answer.status}: {told[:_SHOWN]}."
        )
    return answer


def _parse(body: bytes) -> Any:
    """Return the answer as JSON; text that is none stands for itself."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def compare(found: Any, expected: Any, tolerance: float, path: str = "") -> str:
    """Return the first difference of two JSON values in words; empty where they are equal."""
    where = f"at {path} " if path else ""
    if _is_number(found) and _is_number(expected):
        if _is_near(found, expected, tolerance):
            return ""
        return f"{where}it is {_show(found)} instead of {_show(expected)} (± {tolerance:g})"
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        parts = ((found[key], expected[key], f"{path}.{key}") for key in expected)
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        parts = ((one, other, f"{path}[{index}]") for index, (one, other) in pairs)
    else:
        same = type(found) is type(expected) and found == expected
        return "" if same else f"{where}it is {_show(found)} instead of {_show(expected)}"
    differences = (compare(one, other, tolerance, name) for one, other, name in parts)
    return next((difference for difference in differences if difference), "")


def _is_near(found: float, expected: float, tolerance: float) -> bool:
    """Tell whether two numbers count as equal; one beyond floating point is near itself alone."""
    try:
        return found == expected or abs(found - expected) <= tolerance * max(1.0, abs(expected))
    except OverflowError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
