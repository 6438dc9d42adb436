"""What ``spec.package.config.handler`` may say to the handlers of this package; nothing but data.

Whatever is unknown or of another type is refused, both where the archive is made and where the
model is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_handlers.signature import FILE_NAME, SignatureError, Tensor, is_text

LARGEST = 4096
"""Longest side of a picture that a model is given, in pixels, and most entries of a list."""
LONGEST_TEXT = 1_000_000
"""Most tokens of a text."""
NUMBERS = ("float32", "float64", "float16", "int64", "int32")
"""Types of numbers that a tensor may have."""
OUTSIDE = "O"
"""The label of a word that is of no entity, in the IOB formats (Ramshaw and Marcus, 1995)."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Means and standard deviations of ImageNet's channels, which torchvision's models are fed with."""


class SettingsError(ValueError):
    """A setting is none; the text says which, and what to write."""


class Given:
    """Settings as they are given, from which each is taken once; the rest is unknown."""

    def __init__(self, settings: Any) -> None:
        if not isinstance(settings, Mapping | None):
            raise SettingsError("config.handler: write settings by their names")
        self._left = dict(settings or {})

    def take(self, name: str, default: Any) -> Any:
        """Return a setting, or the default where nothing is said."""
        value = self._left.pop(name, None)
        return default if value is None else value

    def says_nothing_of(self, name: str) -> bool:
        """Tell whether a setting is left to its default."""
        return self._left.get(name) is None

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value = self.take(name, default)
        if not _is_whole(value) or not least <= value <= most:
            raise SettingsError(f"config.handler.{name}: write a number from {least} to {most}")
        return int(value)

    def choice(self, name: str, *values: Any) -> Any:
        """Return one of some values; the first is the default."""
        value = self.take(name, values[0])
        if not any(type(value) is type(each) and value == each for each in values):
            words = ", ".join(str(each).lower() for each in values)
            raise SettingsError(f"config.handler.{name}: write one of {words}")
        return value

    def numbers(self, name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Return as many finite numbers as the default has."""
        value, count = self.take(name, list(default)), len(default)
        if not isinstance(value, list) or len(value) != count or not all(map(_is_number, value)):
            raise SettingsError(f"config.handler.{name}: write a list of {count} number(s)")
        return tuple(map(float, value))

    def text(self, name: str, default: str) -> str:
        """Return a text that can be shown."""
        value = self.take(name, default)
        if not is_text(value):
            raise SettingsError(f"config.handler.{name}: write a text of a line")
        return str(value)

    def nothing_left(self) -> None:
        """Refuse what nobody has taken."""
        if self._left:
            names = ", ".join(sorted(map(str, self._left)))
            raise SettingsError(f"config.handler: the handler has no setting {names:.200}")


def _number_type(declared: Tensor) -> str:
    if declared.dtype not in NUMBERS:
        raise SignatureError(
            f"{FILE_NAME}: input {declared.name} has the type {declared.dtype}, and the handler "
            f"takes one of {', '.join(NUMBERS)}"
        )
    return declared.dtype


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if _is_whole(value):
        return bool(abs(value) < 2**63)
    return isinstance(value, float) and math.isfinite(value)


@dataclass(frozen=True)
class TensorSettings:
    """Of the handler ``tensor``: the numbers' type, and a row's shape, with -1 for any length."""

    dtype: str = "float32"
    shape: tuple[int, ...] | None = None

    @classmethod
    def read(cls, settings: Any, declared: Tensor | None = None) -> TensorSettings:
        """Read the settings, with those of a declared input where they say nothing.

        Raises SettingsError or SignatureError.
        """
        given = Given(settings)
        named = declared is not None and given.says_nothing_of("dtype")
        dtype, shape = given.choice("dtype", *NUMBERS), given.take("shape", None)
        given.nothing_left()
        if declared is not None:
            dtype = _number_type(declared) if named else dtype
            shape = list(declared.shape[1:]) if shape is None else shape
        if shape is None:
            return cls(dtype)
        sizes = isinstance(shape, list) and all(_is_whole(n) and (n == -1 or n > 0) for n in shape)
        if not sizes or len(shape) > 16:
            raise SettingsError(
                "config.handler.shape: write the shape of one row, such as [3, -1], with -1 for a "
                "side of any length"
            )
        return cls(dtype, tuple(shape))


@dataclass(frozen=True)
class ClassSettings:
    """Of both classifications: how many classes are told, and whether logits become shares."""

    top: int = 5
    activation: str = "softmax"

    @classmethod
    def take(cls, given: Given) -> ClassSettings:
        """Take the settings out of those that are given; raises SettingsError."""
        top = given.whole("top", cls.top, 1, LARGEST)
        return cls(top, given.choice("activation", "softmax", "sigmoid", "none"))

    @classmethod
    def read(cls, settings: Any) -> ClassSettings:
        """Read the settings of a handler that has no others; raises SettingsError."""
        given = Given(settings)
        found = cls.take(given)
        given.nothing_left()
        return found


@dataclass(frozen=True)
class ImageSettings:
    """Of ``image-classification``, as torchvision's Resize, CenterCrop and Normalize have them.

    ``resize`` is the shorter side's length before the middle is cut out, in pixels, and ``size``
    the side of the square that is left. ``mean`` and ``std`` have a number for each channel.
    """

    classes: ClassSettings
    resize: int = 256
    size: int = 224
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]

    @property
    def mode(self) -> str:
        """Pillow's name for the channels: grey, or red, green and blue."""
        return "L" if len(self.mean) == 1 else "RGB"

    @classmethod
    def read(cls, settings: Any) -> ImageSettings:
        """Read the settings; raises SettingsError."""
        given = Given(settings)
        classes = ClassSettings.take(given)
        size = given.whole("size", cls.size, 1, LARGEST)
        resize = given.whole("resize", max(size, round(size * 256 / 224)), size, LARGEST)
        grey = given.choice("channels", 3, 1) == 1
        mean, std = ((0.0,), (1.0,)) if grey else IMAGENET
        found = cls(classes, resize, size, given.numbers("mean", mean), given.numbers("std", std))
        given.nothing_left()
        if not all(each > 0 for each in found.std):
            raise SettingsError("config.handler.std: write numbers above 0")
        return found


@dataclass(frozen=True)
class TextSettings:
    """Of ``text-classification``: what of a text the model is given.

    ``max_tokens`` is where a text is cut; ``lowercase`` is of no use to a ``tokenizer.py``.
    """

    classes: ClassSettings
    max_tokens: int = 512
    lowercase: bool = True

    @classmethod
    def read(cls, settings: Any) -> TextSettings:
        """Read the settings; raises SettingsError."""
        given = Given(settings)
        classes = ClassSettings.take(given)
        longest = given.whole("maxTokens", cls.max_tokens, 1, LONGEST_TEXT)
        found = cls(classes, longest, given.choice("lowercase", True, False))
        given.nothing_left()
        return found


@dataclass(frozen=True)
class TokenSettings:
    """Of ``token-classification``: what of a text the model is given, as for whole texts."""

    max_tokens: int = 512
    lowercase: bool = True
    outside: str = OUTSIDE

    @classmethod
    def read(cls, settings: Any) -> TokenSettings:
        """Read the settings; raises SettingsError."""
        given = Given(settings)
        longest = given.whole("maxTokens", cls.max_tokens, 1, LONGEST_TEXT)
        found = cls(longest, given.choice("lowercase", True, False), given.text("outside", OUTSIDE))
        given.nothing_left()
        return found
