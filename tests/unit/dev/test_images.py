"""What an image's tag depends on."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from dev.images import buildah
from dev.images.product import Image, images

RELEASE_BEFORE = Path(__file__).parents[2] / "releases" / "before.tar.xz"
DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY app/lock /lock
RUN make-much
COPY --chmod=0755 app/src /src
COPY --from=build /out/x /x
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "app" / "src" / "__pycache__").mkdir(parents=True)
    (tmp_path / "app" / "lock").write_text("one==1\n")
    (tmp_path / "app" / "src" / "main.py").write_text("print()\n")
    (tmp_path / "app" / "README").write_text("not copied\n")
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def tag(context: Path, base: str = "base") -> str:
    empty = context / "empty.Dockerfile"
    empty.write_text("FROM scratch\n")
    stands_on = Image("base", empty, context, extra_key=base)
    return Image("app", context / "Dockerfile", context, {"BASE": stands_on}).tag


@pytest.mark.parametrize("path", ["app/lock", "app/src/main.py", "app/src/new.py", "Dockerfile"])
def test_a_changed_input_changes_the_tag(context: Path, path: str) -> None:
    before = tag(context)
    file = context / path
    file.write_text((file.read_text() if file.exists() else "") + "# more\n")
    assert tag(context) != before


@pytest.mark.parametrize("path", ["app/README", "app/src/__pycache__/main.cpython-311.pyc"])
def test_what_is_not_copied_does_not_change_the_tag(context: Path, path: str) -> None:
    before = tag(context)
    (context / path).write_text("other")
    assert tag(context) == before


def test_a_changed_base_changes_the_tag(context: Path) -> None:
    assert tag(context, "bookworm") != tag(context, "trixie")


def test_a_file_that_becomes_executable_changes_the_tag(context: Path) -> None:
    before = tag(context)
    (context / "app" / "src" / "main.py").chmod(0o755)
    assert tag(context) != before


def test_an_image_of_go_programs_has_its_tag_before_they_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    before = images()["store"]
    tag_before = before.tag
    program = before.bases["GO_BASE"].context
    program.mkdir(parents=True)
    (program / "versitygw").write_text("built")
    assert images()["store"].tag == tag_before


def test_what_is_asked_of_buildah_leaves_this_process_as_it_was() -> None:
    before = dict(os.environ)
    assert not buildah.exists("localhost/slipway-none:none")
    assert dict(os.environ) == before


def test_the_release_before_has_the_images_that_its_chart_asks_for(tmp_path: Path) -> None:
    shutil.unpack_archive(RELEASE_BEFORE, tmp_path)
    known = yaml.safe_load((tmp_path / "charts" / "slipway" / "values.yaml").read_text())["images"]
    found = images(tmp_path)
    assert set(found) == {name for name, value in known.items() if isinstance(value, dict)}
    assert all(image.tag for image in found.values())
