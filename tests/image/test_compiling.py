"""Programs that AOTInductor compiles, where there is a compiler, served where there is none."""

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev import paths
from dev.images import buildah, product
from slipway_handlers.formats import compiled as compiled_format
from slipway_handlers.formats.code import ALLOWED
from slipway_handlers.formats.compiled import METADATA
from slipway_pods.package import machine_code
from tests.harness.ports import free_ports
from tests.image import compiled
from tests.image.exported import PYTHON, SERVERS, Made, archive, ask, by_python
from tests.unit.server.conftest import doors, write_archive

pytestmark = pytest.mark.image
LOCK = (paths.REPOSITORY / "images" / "torch" / "requirements.lock").read_text()
TORCH = re.findall(r"^torch==(\S+)", LOCK, re.MULTILINE)[0]
MADE_FOR = {"cpu": "x86-64-v3", "torch": TORCH}
BASE_HANDLER = """
from ts.torch_handler.base_handler import BaseHandler
class Handler(BaseHandler): ...
"""


@pytest.fixture(scope="module")
def made(root: Path) -> Made:
    done = compiled.run(root, product.ensure_compiler().reference, "export")
    assert done.returncode == 0, done.stderr
    return Made(root / "made", ())


def test_an_image_without_a_compiler_is_told_what_it_lacks(root: Path) -> None:
    done = compiled.run(root, product.ensure_stored("trainer").reference, "export", "nothing")
    assert done.returncode == 1
    assert "the image has no g++: install it in the image that trains" in done.stderr
    assert list((root / "nothing").iterdir()) == []


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest, root: Path, made: Made) -> Iterator[str]:
    """The address of the compiled program's archive."""
    folder = root / request.param
    whole = archive(folder, made, "net", "tensor", "model.pt2")
    assert machine_code.compiled_for(whole, must_tell=True) == MADE_FOR
    with ExitStack() as stack:
        image = product.ensure_stored(request.param).reference
        enter = stack.enter_context(buildah.container(image, root))
        yield stack.enter_context(SERVERS[request.param](folder, [whole], enter))["net"]


def test_a_compiled_program_answers_as_the_model_for_any_number_of_rows(
    served: str, made: Made
) -> None:
    rows, answers = json.loads((made.folder / "answers.json").read_text())
    for count in (1, 3, len(rows)):
        told = ask(served, "net", rows[:count])
        assert len(told) == count
        for one, other in zip(told, answers[:count], strict=True):
            assert one == pytest.approx(other, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("row", [[1.0], [1.0] * 63, [1.0] * 65, [[1.0] * 64]], ids=range(4))
def test_rows_of_another_shape_are_refused_and_not_read_beyond_their_end(
    served: str, row: list[Any]
) -> None:
    told = httpx.post(f"{served}/predictions/net", json=[row], timeout=60)
    assert told.status_code == 400, told.text
    assert "the model takes float32 of the shape [1 or more, 64]" in told.text


def test_a_number_that_no_word_has_ends_no_worker(root: Path, made: Made) -> None:
    folder, words = root / "words", Made(made.folder / "words", ())
    whole = archive(folder, words, "words", "tensor", "model.pt2")
    image = product.ensure_stored("python").reference
    with buildah.container(image, root) as enter, by_python(folder, [whole], enter) as urls:
        url = f"{urls['words']}/predictions/words"
        for numbers in ([[7, 0, 0, 0, 0]], [[-8] * 5] * 3000):
            told = httpx.post(url, json=numbers, timeout=60)
            assert told.status_code == 503, told.text
            assert "Worker died" not in told.text
        assert len(ask(urls["words"], "words", [[6] * 5])) == 1
        log = (folder / "words.log").read_text()
    assert "terminate called" not in log


def refusal(root: Path, whole: Path, *variables: str) -> str:
    """Return what the Python server says of an archive that it does not load."""
    words = ["env", "HOME=/tmp", *variables, PYTHON, "-P", "-m", "slipway_server"]
    with buildah.container(product.ensure_stored("python").reference, root) as enter:
        command = enter([*words, *doors(free_ports(3)), str(whole)])
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    return done.stderr


def edited(whole: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """Return a zip, each of whose entries is changed."""
    with zipfile.ZipFile(whole) as bundle:
        entries = [change(each, bundle.read(each)) for each in bundle.namelist()]
    with zipfile.ZipFile(whole, "w") as bundle:
        for name, data in entries:
            bundle.writestr(name, data)
    return whole


def telling(root: Path, made: Made, name: str, told: Mapping[str, Any]) -> Path:
    """Return an archive of the program that says it was compiled for something else."""
    other = Made(root / f"told-{name}", ())
    shutil.copytree(made.folder, other.folder)

    def change(each: str, data: bytes) -> tuple[str, bytes]:
        if not each.endswith(METADATA):
            return each, data
        return each, json.dumps({**json.loads(data), **told}).encode()

    edited(other.folder / "model.pt2", change)
    return archive(root / name, other, "net", "tensor", "model.pt2")


def test_a_server_with_another_torch_refuses_it_with_both_versions(root: Path, made: Made) -> None:
    whole = telling(root, made, "torch", {"slipway.torch": "2.12.0"})
    said = refusal(root, whole, f"{ALLOWED}=true")
    assert f"model.pt2 was compiled for torch 2.12.0, and this server has {TORCH}. Train" in said


def test_a_server_whose_cpu_lacks_instructions_refuses_it_with_their_names(
    root: Path, made: Made
) -> None:
    whole = archive(root / "cpu", made, "net", "tensor", "model.pt2")
    cpuinfo = root / "cpuinfo"
    cpuinfo.write_text("flags\t\t: abm avx bmi1 bmi2 f16c fma movbe sse4_2 xsave\n")
    module, place = "slipway_handlers/formats/compiled.py", str(compiled_format.CPUINFO).encode()
    edited(
        whole,
        lambda each, data: (
            each,
            data.replace(place, str(cpuinfo).encode()) if each == module else data,
        ),
    )
    said = refusal(root, whole, f"{ALLOWED}=true")
    assert "was compiled for CPUs of the level x86-64-v3, and this one lacks avx2. Train" in said


def test_a_level_that_a_server_does_not_know_is_refused(root: Path, made: Made) -> None:
    whole = telling(root, made, "level", {"slipway.cpu": "x86-64-v9"})
    said = refusal(root, whole, f"{ALLOWED}=true")
    assert "was compiled for CPUs of the level x86-64-v9, and this server knows x86-64-v3" in said


def test_it_is_loaded_only_where_the_deployment_allows_code(root: Path, made: Made) -> None:
    whole = archive(root / "forbidden", made, "net", "tensor", "model.pt2")
    assert "spec.model.allowPickle" in refusal(root, whole)


def test_the_base_handler_does_not_load_what_it_cannot_check(root: Path, made: Made) -> None:
    model = (made.folder / "model.pt2").read_bytes()
    files: dict[str, str | bytes] = {"handler.py": BASE_HANDLER, "model.pt2": model}
    whole = write_archive(root / "base.mar", files, serializedFile="model.pt2")
    said = refusal(root, whole, f"{ALLOWED}=true")
    assert "The archive's model.pt2 was compiled by AOTInductor" in said


def test_a_library_that_torchserve_would_load_is_code_too(root: Path, made: Made) -> None:
    whole = archive(root / "library", made, "net", "tensor", "model.pt2")
    edited(
        whole,
        lambda each, data: (
            each.replace("model.pt2", "model.so"),
            data.replace(b"model.pt2", b"model.so") if each.startswith("MAR-INF") else data,
        ),
    )
    assert "Loading model.so runs whatever code it holds" in refusal(root, whole)


def test_each_form_has_figures(root: Path, made: Made) -> None:
    found = compiled.rows(compiled.run(root, product.ensure_stored("python").reference, "times"))
    assert list(found) == list(compiled.FORMS)
    assert all(0 < row["oneRow"] < row["allRows"] for row in found.values()), found
    assert found["compiled"]["bytes"] > found["eager"]["bytes"]
