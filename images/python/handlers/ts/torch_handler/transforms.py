"""Torchvision's transforms of images, imported where they are first used."""

from typing import Any


class Lazily:
    """An attribute of a class that is made when it is first asked for; a class may set its own."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._made: Any = None

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if self._made is None:
            self._made = self._make()
        return self._made


def imagenet() -> Any:
    """Return ImageNet's: 256, then the middle 224, normalised."""
    from torchvision import transforms

    return transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )


def tensor() -> Any:
    """Return the one that makes a tensor of an image."""
    from torchvision import transforms

    return transforms.Compose([transforms.ToTensor()])
