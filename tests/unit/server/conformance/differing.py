"""Where the Python server answers otherwise than TorchServe, and why: docs/python-server.md."""

KNOWN: dict[tuple[str, int], str] = {
    ("json", 1): "no instances at all are told as an answer of a wrong length (500), where "
    "TorchServe says no more than that the prediction failed (503)",
    ("unlabeled", 0): "a class without a name is answered by its number (200), where TorchServe's "
    "prediction fails (503)",
    ("sequence", 6): "the bound that a sequence meets is told (503), where TorchServe asks whether "
    "there are workers",
}
"""By the archive's name and the request's place, which begins with 0."""
