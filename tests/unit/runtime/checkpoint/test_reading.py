"""A checkpoint's description may name its own classes, and nothing that runs."""

import collections
import enum
import functools
import io
import operator
import os
import pathlib
import pickle
import subprocess
from typing import Any

import pytest

from slipway_runtime.checkpoint.reading import DescriptionUnpickler


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, Any]:
        return self._call


@pytest.mark.parametrize(
    "value",
    [
        Calls(os.system, "touch /tmp/pwned"),
        Calls(eval, "1"),
        Calls(getattr, "", "join"),
        Calls(subprocess.Popen, ["true"]),
        Calls(operator.methodcaller, "unlink"),
        Calls(functools.partial, print),
        Calls(pickle.loads, b""),
        collections.Counter(),
    ],
)
def test_a_description_that_names_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError, match="it names "):
        DescriptionUnpickler(io.BytesIO(pickle.dumps(value))).load()


def test_a_dotted_name_does_not_lead_out_of_an_allowed_module() -> None:
    evil = b"\x80\x04\x8c\x0bcollections\x8c\x1fabc.sys.modules.__class__.clear\x93."
    with pytest.raises(pickle.UnpicklingError):
        DescriptionUnpickler(io.BytesIO(evil)).load()


def test_plain_values_and_paths_are_read() -> None:
    value = collections.OrderedDict(a=(1, 2.5, "x", None), where=pathlib.PurePosixPath("a/b"))
    assert DescriptionUnpickler(io.BytesIO(pickle.dumps(value))).load() == value


class _Format(enum.Enum):
    CONTIGUOUS = 0


def test_a_member_of_an_enumeration_may_be_named_and_no_other_attribute() -> None:
    member = DescriptionUnpickler(io.BytesIO()).find_class("builtins", "getattr")
    assert member(_Format, "CONTIGUOUS") is _Format.CONTIGUOUS
    for holder, name in ((_Format, "__init_subclass__"), (str, "join"), (io, "open")):
        with pytest.raises((pickle.UnpicklingError, KeyError)):
            member(holder, name)
