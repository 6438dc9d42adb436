"""What a script says of its saves and its progress, taken at its word only where that is right."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.agent import metrics
from slipway_pods.agent.checkpoint_agent import Keeper, Place
from slipway_pods.agent.checkpoint_store import Archive
from slipway_runtime import strict
from slipway_runtime.checkpoint.files import ANNOUNCEMENT, Announcement, Name
from tests.harness.s3 import S3Server
from tests.harness.waiting import wait_for
from tests.unit.runtime.saves import OWNER, save

RIGHT: dict[str, Any] = {
    "name": f"step-000000000010-{OWNER}-00000001",
    "step": 10,
    "kind": "dcp",
    "node": 0,
    "nodes": 2,
    "main": True,
    "final": False,
    "began": 1000.0,
    "state": {},
}
WRONG = [
    ("node", "x/../../../../models/victim/net"),
    ("node", -1),
    ("node", 2),
    ("node", True),
    ("node", 1.0),
    ("nodes", 10**9),
    ("nodes", "2"),
    ("nodes", 0),
    ("name", "../../x"),
    ("name", f"step-000000000011-{OWNER}-00000001"),
    ("name", f"step-00000000001\u0660-{OWNER}-00000001"),
    ("name", ["step"]),
    ("step", 10**12),
    ("step", "10"),
    ("kind", "pickle"),
    ("main", 1),
    ("final", None),
    ("began", "now"),
    ("began", float("inf")),
    ("began", 10**400),
    ("state", []),
]


@pytest.mark.parametrize("text", [b"[[],[],[]]", b'{"a":1,"b":2,"c":{}}', b'["a,b,c",{}]'])
def test_what_has_too_many_values_is_not_taken(text: bytes) -> None:
    count = sum(text.count(one) for one in (b"{", b"[", b","))
    assert strict.loads(text, 100, count) == json.loads(text)
    with pytest.raises(ValueError, match="more than"):
        strict.loads(text, 100, count - 1)


def test_a_right_announcement_is_taken() -> None:
    assert Announcement.parse(RIGHT).nodes == 2


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} of the announcement is n"):
        Announcement.parse({**RIGHT, field: value})


def test_a_group_is_no_larger_than_its_job_says() -> None:
    with pytest.raises(ValueError, match="a whole number from 1 to 1"):
        Announcement.parse(RIGHT, nodes=1)


@pytest.mark.parametrize("text", [b"[" * 50_000, b"9" * 5000, b"{", b"\xff", b" " * 70_000])
def test_a_text_that_is_too_much_is_one_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict.loads(text, 65536)


@pytest.fixture
def keeper(s3: S3Server, tmp_path: Path) -> tuple[Keeper, Path]:
    """The keeper of the pod with index 3, and the folder in which its script saves."""
    saves, restore = tmp_path / "save", tmp_path / "restore"
    saves.mkdir()
    restore.mkdir()
    archive = Archive(
        "s3://slipway/checkpoints/ns/net/uid", OWNER, keep=3, own_only=False, patience=9
    )
    return Keeper(saves, restore, archive, Place(OWNER, 3)), saves


def test_what_a_script_says_wrongly_costs_that_save_and_is_told_once(
    s3: S3Server, keeper: tuple[Keeper, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    kept, saves = keeper
    for number, (field, value) in enumerate(WRONG):
        folder = saves / str(Name(10, OWNER, f"{number:08x}"))
        folder.mkdir()
        (folder / "victim-1.0.mar").write_text("EVIL")
        said = {**RIGHT, "name": folder.name, field: value}
        (folder / ANNOUNCEMENT).write_text(json.dumps(said))
    hang = saves / str(Name(11, OWNER, "00000000"))
    hang.mkdir()
    os.mkfifo(hang / ANNOUNCEMENT)
    linked = saves / str(Name(12, OWNER, "00000000"))
    linked.mkdir()
    (linked / ANNOUNCEMENT).symlink_to("/etc/passwd")
    (saves / str(Name(13, "ffffffff", "00000000"))).mkdir()
    good = save(saves, 20)
    working = threading.Thread(target=kept.work, daemon=True)
    working.start()
    wait_for(lambda: (kept._ledger.committed or {}).get("step") == 20, 60, "step 20 is stored")
    kept.end()
    working.join(120)
    assert not working.is_alive()
    told = capsys.readouterr().err
    for number in range(len(WRONG)):
        assert told.count(f"{Name(10, OWNER, f'{number:08x}')} is passed over") == 1
    assert told.count("is passed over") == len(WRONG) + 2
    assert {key.split("/")[0] for key in s3.keys("checkpoints/ns/net/uid")} == {good.name}
    assert not s3.keys("models") | s3.keys("outputs")


def test_a_nodes_part_lies_under_its_pods_own_index_whatever_it_says(
    s3: S3Server, keeper: tuple[Keeper, Path]
) -> None:
    kept, saves = keeper
    said = save(saves, 20, node=0)
    working = threading.Thread(target=kept.work, daemon=True)
    working.start()
    wait_for(lambda: (kept._ledger.committed or {}).get("step") == 20, 60, "step 20 is stored")
    kept.end()
    working.join(120)
    place = f"checkpoints/ns/net/uid/{said.name}"
    assert {key.split("/")[0] for key in s3.keys(place)} == {
        "node-3",
        "_node-3.json",
        "_manifest.json",
    }


@pytest.mark.parametrize(
    "request_",
    [
        {"command": "fetch", "name": "../../../tmp"},
        {"command": "release", "name": "../save"},
        {"command": "fetch", "name": 7},
        {"command": "fetch"},
        {"command": ["newest"]},
        {"command": "fetch", "name": RIGHT["name"], "files": "all"},
        {"command": "fetch", "name": RIGHT["name"], "files": [1]},
        {"command": "fetch", "name": RIGHT["name"], "files": ["../../x"]},
    ],
)
def test_a_wrong_request_is_answered_with_a_sentence_and_does_nothing(
    keeper: tuple[Keeper, Path], request_: dict[str, Any], tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    answers: list[Any] = []
    keeper[0].answer(request_, answers.append)
    assert answers[-1]["event"] == "failed"
    assert answers[-1]["message"].startswith("The checkpoint cannot be restored. ")
    assert [path for path in sorted(tmp_path.rglob("*")) if "s3" not in path.parts] == [
        path for path in before if "s3" not in path.parts
    ]


def test_a_report_of_many_long_metrics_gives_a_short_page(tmp_path: Path) -> None:
    names = {f"{'x' * number}": 1.0 for number in range(1, 200)}
    (tmp_path / "progress.json").write_text(json.dumps({"step": 1, "metrics": names}))
    page = metrics.render(tmp_path, metrics.StoreProbe("", {}))
    lines = [line for line in page.splitlines() if line.startswith("slipway_training_metric{")]
    assert len(lines) == 32
    assert max(map(len, lines)) < 110
    assert len(set(lines)) == 32


@pytest.mark.parametrize("kind", ["too long", "a pipe", "a link out", "nested", "a huge number"])
def test_a_report_that_cannot_be_taken_is_none_and_holds_nobody_up(
    tmp_path: Path, kind: str
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    path = run / "progress.json"
    (tmp_path / "other.json").write_text('{"step": 9}')
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a link out":
        path.symlink_to("../other.json")
    else:
        long = json.dumps({"step": 9, "x": "y" * metrics.MAX_REPORT_BYTES})
        nested = "[" * sys.getrecursionlimit() * 10
        huge = '{"step": ' + "9" * 4000 + "}"
        path.write_text({"too long": long, "nested": nested, "a huge number": huge}[kind])
    assert "slipway_training_step" not in metrics.render(run, metrics.StoreProbe("", {}))
