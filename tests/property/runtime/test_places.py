"""Nothing that anybody says yields a key or a path outside of its place."""

import json
import os
import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway_pods import beneath
from slipway_pods.agent.checkpoint_store import parse
from slipway_pods.store import manifest, places
from slipway_runtime.checkpoint import files

OWNER = "abcdef12"
PARTS = st.sampled_from(
    ["", ".", "..", "a", "b.pt", "%2e%2e", "%2f", "..%2f", "%252e%252e", "\0", "\n", "~", "..."]
)
PATHS = st.one_of(st.lists(PARTS, max_size=6).map("/".join), st.text(max_size=30))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), PATHS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(PATHS, inner, max_size=3)),
    max_leaves=5,
)
NAMES = st.one_of(JSON, st.just(f"step-000000000010-{OWNER}-00000001"))


def is_inside(place: str, path: str) -> bool:
    """Tell whether a path stays beneath a place, however it is written and decoded."""
    for _ in range(5):
        whole = posixpath.normpath(f"{place}/{path}")
        if not whole.startswith(f"{place}/") or "\0" in path:
            return False
        path = unquote(path)
    return True


@given(PATHS)
def test_a_path_that_is_taken_stays_in_its_place(path: str) -> None:
    if places.is_path(path):
        assert is_inside("/place", path)
        assert posixpath.normpath(path) == path


@given(PATHS)
def test_a_uri_that_is_taken_stays_in_its_bucket(path: str) -> None:
    uri = f"s3://slipway/outputs/ns/{path}"
    try:
        places.check_uri(uri)
    except ValueError:
        return
    assert is_inside("slipway/outputs/ns", path.removesuffix("/") or "x")


@given(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "step": st.one_of(JSON, st.just(10)),
            "kind": st.one_of(JSON, st.just("dcp")),
            "node": st.one_of(JSON, st.just(0)),
            "nodes": st.one_of(JSON, st.just(1)),
            "main": st.one_of(JSON, st.just(True)),
            "final": st.one_of(JSON, st.just(False)),
            "began": st.one_of(JSON, st.just(1.0)),
        }
    )
)
def test_an_announcement_that_is_taken_yields_a_key_in_its_place(said: dict[str, Any]) -> None:
    try:
        taken = files.Announcement.parse(said)
    except ValueError:
        return
    key = f"{taken.name}/node-{taken.node}/file"
    assert is_inside("place", key)
    assert len(key) < 80
    assert 0 <= taken.node < taken.nodes <= files.MAX_NODES


ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "path": st.one_of(JSON, PATHS.map(lambda path: f"node-0/{path}")),
            "sizeBytes": st.one_of(JSON, st.just(1)),
            "sha256": st.one_of(JSON, st.just("0" * 64)),
        }
    ),
    max_size=3,
)


@given(ENTRIES)
def test_a_manifest_that_is_taken_names_files_in_its_place(entries: list[Any]) -> None:
    name = files.Name(10, OWNER, "00000001")
    whole = {"name": str(name), "step": 10, "kind": "dcp", "nodes": 1, "began": 1, "time": 2}
    try:
        found = parse({**whole, "files": entries}, name)
    except ValueError:
        return
    for entry in found["files"]:
        assert is_inside("restore", entry["path"].partition("/")[2])


@given(ENTRIES)
def test_an_outputs_manifest_that_is_taken_names_files_in_its_place(entries: list[Any]) -> None:
    try:
        found = manifest.decode(json.dumps({"files": entries}).encode())
    except manifest.OutputError:
        return
    assert all(is_inside("output", path) for path in found)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "a", "b", "c"])), max_size=4),
    st.lists(st.sampled_from([".", "..", "a", "b", "c", "secret"]), max_size=6),
    st.lists(st.sampled_from([".", "..", "a", "b", "c", "secret"]), max_size=6),
)
def test_no_links_and_no_path_lead_out_of_a_folder(
    tmp_path: Path, links: list[tuple[str, str]], target: list[str], path: list[str]
) -> None:
    place = tmp_path / os.urandom(8).hex()
    root = place / "root"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        (root / name / "secret").write_text("inside")
    (place / "secret").write_text("outside")
    for name, folder in links:
        link = root / folder / name
        if link.parent.is_dir() and not link.exists() and not link.is_symlink():
            link.symlink_to("/".join(target) or ".")
    with beneath.Folder(root) as opened:
        try:
            assert opened.read("/".join(path), 100) == b"inside"
        except OSError:
            return
