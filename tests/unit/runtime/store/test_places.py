"""Which URIs and paths are places; the operator has the same cases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slipway_pods.store import claims, places, store
from tests.harness.s3 import S3Server
from tests.vectors import URIS

PLACES = URIS["places"]


@pytest.mark.parametrize("uri", PLACES["taken"])
def test_a_uri_that_names_one_place_is_taken_as_it_is(uri: str) -> None:
    assert places.check_uri(uri) == uri


@pytest.mark.parametrize(
    "uri", [*PLACES["refused"], "s3://slipway/" + "a/" * 3000 + "b"], ids=lambda uri: repr(uri[:40])
)
def test_a_uri_that_may_name_another_place_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"^write a "):
        places.check_uri(uri)


@pytest.mark.parametrize("uri", ["s3://slipway/outputs/ns/../other/a", "pvc://shared/../../a"])
def test_every_door_of_the_store_refuses_it(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("SLIPWAY_CLAIMS_DIR", str(tmp_path / "claims"))
    assert claims.SCHEME == "pvc"
    (tmp_path / "file").write_text("x")
    with (tmp_path / "file").open("rb") as file:
        doors: list[Callable[[], object]] = [
            lambda: store.put_file(file, uri),
            lambda: store.put_bytes(b"x", uri),
            lambda: store.get_bytes(uri, 10),
            lambda: store.get_file(uri, tmp_path / "got", 10),
            lambda: store.folders(uri),
            lambda: store.sizes(uri),
            lambda: store.tree(uri),
            lambda: store.file_size(uri),
            lambda: store.delete(uri),
        ]
        for door in doors:
            with pytest.raises(store.ForbiddenUriError, match="is refused: write a path without"):
                door()
    assert s3.keys() == set()
