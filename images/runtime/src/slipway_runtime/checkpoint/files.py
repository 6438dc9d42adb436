"""What the script and the sidecar tell each other of checkpoints, as files and over a socket.

Two folders are between them. In ``SLIPWAY_CHECKPOINT_DIR`` the script writes each save into a
folder of its own; an `Announcement` in it, written last, says that this node's part is whole. In
``SLIPWAY_RESTORE_DIR``, which the script cannot write, the sidecar keeps its `Ledger` and puts what
is restored. Over the socket ``checkpoint.sock`` the script asks for the newest checkpoint and for
its files, in the lines of `slipway_runtime.control`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from slipway_runtime import strict

ANNOUNCEMENT = "_save.json"
LEDGER = "ledger.json"
SOCKET_NAME = "checkpoint.sock"
SAVES = "saves"
"""A file in the run folder: the script saves. It holds the longest time between two calls so far,
in seconds: so soon it should hear that the pod stops."""
SAVING = "saving"
"""A file in the run folder: the script has heard that the pod stops, and saves."""
STOPPING = "stopping"
"""A file in the run folder: the pod was told to stop."""
SAVED = "saved"
"""A file in the run folder: the last checkpoint is written, and the script ends."""

MAX_NODES = 1024
"""Most nodes of a group, as the API has it."""
MAX_STEP = 10**12 - 1
"""Highest step that a name can hold."""
MAX_BYTES = 64 * 1024
"""Longest announcement."""
KINDS = ("dcp", "folder")

_NAME = re.compile(r"step-([0-9]{12})-([0-9a-f]{8})-([0-9a-f]{8})")


@dataclass(frozen=True)
class Name:
    """A checkpoint's name, by which texts sort as steps: the step, whose it is, and a token.

    ``owner`` is the beginning of the job's UID. The token keeps apart what two tries save at the
    same step, so that their files never mix.
    """

    step: int
    owner: str
    token: str

    def __str__(self) -> str:
        return f"step-{self.step:012}-{self.owner}-{self.token}"

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Return the name that a text is; None where it is none."""
        match = _NAME.fullmatch(text)
        return cls(int(match[1]), match[2], match[3]) if match else None


def owner_of(uid: str) -> str:
    """Return the part of a job's UID that stands in its checkpoints' names."""
    digits = re.sub(r"[^0-9a-f]", "", uid.lower())
    return digits[:8].rjust(8, "0")


@dataclass(frozen=True)
class Announcement:
    """One node's word that its part of a save is whole.

    ``main`` marks the node of rank 0, which makes the whole valid once all ``nodes`` have stored
    theirs. ``final`` is a save because the pod stops. ``began`` is in seconds since 1970, ``kind``
    is ``dcp`` or ``folder``, and ``state`` is what the helper itself wants back.
    """

    name: str
    step: int
    kind: str
    node: int
    nodes: int
    main: bool
    final: bool
    began: float
    state: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, value: Any, nodes: int = MAX_NODES) -> Announcement:
        """Return the announcement that a JSON value is, of a group of at most ``nodes`` nodes.

        Raises ValueError, with a sentence that names the field, for any other.
        """
        fields = strict.Fields(value, "the announcement")
        name, step = fields.text("name", 64), fields.integer("step", 0, MAX_STEP)
        parsed = Name.parse(name)
        if parsed is None or parsed.step != step:
            raise ValueError("name of the announcement is no checkpoint's name of its step")
        count = fields.integer("nodes", 1, nodes)
        return cls(
            name=name,
            step=step,
            kind=fields.choice("kind", KINDS),
            node=fields.integer("node", 0, count - 1),
            nodes=count,
            main=fields.truth("main"),
            final=fields.truth("final"),
            began=fields.number("began"),
            state=fields.mapping("state"),
        )


@dataclass(frozen=True)
class Ledger:
    """What the sidecar has to say: the newest valid checkpoint, what is stored, what went wrong.

    ``committed`` is ``{"name", "step", "time", "seconds", "sizeBytes", "uri"}``. ``stored`` names
    the saves of this node whose files the script may take away. ``failure`` is a sentence.
    """

    committed: dict[str, Any] | None = None
    stored: tuple[str, ...] = ()
    failure: str | None = None


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def announce(folder: Path, announcement: Announcement) -> None:
    """Say that a save is whole."""
    write_json(folder / ANNOUNCEMENT, asdict(announcement))


def announced(folder: Path) -> Announcement | None:
    """Return what was announced of a save; None where it is not whole, or nobody can read it."""
    try:
        return Announcement.parse(strict.loads((folder / ANNOUNCEMENT).read_bytes(), MAX_BYTES))
    except (OSError, ValueError):
        return None


def read_ledger(folder: Path) -> Ledger:
    """Return the sidecar's ledger; an empty one where there is none yet."""
    found = _read(folder / LEDGER)
    return Ledger(
        committed=found.get("committed"),
        stored=tuple(found.get("stored") or ()),
        failure=found.get("failure"),
    )


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Replace the ledger in one step."""
    write_json(folder / LEDGER, asdict(ledger))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
