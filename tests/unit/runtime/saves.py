"""Saves as the helper library leaves them, without torch."""

from pathlib import Path

from slipway_runtime.checkpoint.files import Announcement, Name, announce

OWNER = "abcdef12"


def save(
    folder: Path,
    step: int,
    *,
    node: int = 0,
    nodes: int = 1,
    token: str = "00000001",  # noqa: S107 - a part of a name
    owner: str = OWNER,
    final: bool = False,
    began: float = 1000.0,
    **content: str,
) -> Announcement:
    """Write a node's part of a save into a folder, and announce it."""
    name = str(Name(step, owner, token))
    place = folder / name
    place.mkdir(parents=True)
    for file, text in {f"__{node}_0": f"shard {node} of {step}", **content}.items():
        (place / f"{file}.distcp").write_text(text)
    if node == 0:
        (place / ".metadata").write_text(f"metadata of {step}")
    said = Announcement(
        name=name,
        step=step,
        kind="dcp",
        node=node,
        nodes=nodes,
        main=node == 0,
        final=final,
        began=began,
        state={"stop": {"elapsed": 1.0}},
    )
    announce(place, said)
    return said
