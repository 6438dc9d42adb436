"""What is asked of kind and of a container engine, which programs in their place write down."""

from pathlib import Path

import pytest

from dev import kind
from dev.errors import DevError
from dev.images import product

ENGINE = """\
#!/bin/sh
# Holds the images that it has built or that lie in {state}/node, as kind's node has them.
printf '%s\\n' "${{0##*/}} $*" >>{state}/asked
case "$1 $2" in
info*) exit {info};;
"image inspect") grep -qx "$3" {state}/built 2>/dev/null;;
build*) for word; do case "$word" in
    --build-arg=TORCH_IMAGE=*) grep -qx "${{word#*IMAGE=}}" {state}/built || exit 9;;
    --tag=*) printf '%s\\n' "${{word#--tag=}}" >>{state}/built;;
    esac; done;;
exec*) cat {state}/node 2>/dev/null || :;;
save*) for word; do case "$word" in
    --output=*) out="${{word#--output=}}";;
    localhost/*) grep -qx "$word" {state}/built || exit 9; printf '%s\\n' "$word" >>"$out";;
    esac; done;;
esac
"""
KIND = """\
#!/bin/sh
printf '%s\\n' "${{KIND_EXPERIMENTAL_PROVIDER:-docker}}: kind $*" >>{state}/asked
case "$1 $2" in
"get clusters") cat {state}/clusters 2>/dev/null || echo 'No kind clusters found.' >&2;;
"create cluster") echo slipway >{state}/clusters;;
"load image-archive") cat "$4" >>{state}/node;;
esac
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of state, beside a PATH on which kind and the engines are put by the tests."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(kind.PROVIDER, raising=False)
    return tmp_path


def put(state: Path, program: str, text: str = ENGINE, info: int = 0) -> None:
    file = state / "bin" / program
    file.write_text(text.format(state=state, info=info))
    file.chmod(0o755)


def asked(state: Path, prefix: str) -> list[str]:
    return [line for line in (state / "asked").read_text().splitlines() if prefix in line]


def test_a_missing_kind_is_told_with_where_to_get_it(state: Path) -> None:
    put(state, "docker")
    with pytest.raises(DevError, match=r"`kind` is not there: install kind 0\.21 or later"):
        kind.find_engine()


def test_an_engine_that_does_not_answer_is_told(state: Path) -> None:
    put(state, "kind", KIND)
    for program in ("docker", "podman"):
        put(state, program, info=1)
    with pytest.raises(DevError, match="Neither `docker info` nor `podman info` succeeds"):
        kind.find_engine()


def test_podman_is_used_where_docker_does_not_answer(state: Path) -> None:
    put(state, "kind", KIND)
    put(state, "docker", info=1)
    put(state, "podman")
    assert kind.find_engine().program == "podman"


def test_the_engine_that_the_user_names_is_the_only_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(state, "kind", KIND)
    put(state, "docker")
    put(state, "podman", info=1)
    monkeypatch.setenv(kind.PROVIDER, "podman")
    with pytest.raises(DevError, match="`podman info` fails: start podman"):
        kind.find_engine()


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_the_first_run_makes_the_cluster_and_loads_all_images_by_one_archive(
    state: Path, engine: str
) -> None:
    put(state, "kind", KIND)
    put(state, "docker", info=int(engine != "docker"))
    put(state, engine)
    images = kind.up()
    references = [image.reference for image in images.values()]
    assert (state / "node").read_text().split() == references
    assert set((state / "built").read_text().split()) > set(references), "the torch layer too"
    assert len(asked(state, "kind create cluster --name=slipway")) == 1
    assert len(asked(state, "load image-archive")) == 1
    assert all(line.startswith(f"{engine}: ") for line in asked(state, ": kind "))
    assert ("--multi-image-archive" in asked(state, " save ")[0]) == (engine == "podman")
    assert not list(kind.kubeconfig().parent.glob("*/images.tar")), "the archive is not kept"


def test_a_later_run_builds_and_loads_nothing(state: Path) -> None:
    put(state, "kind", KIND)
    put(state, "docker")
    kind.up()
    (state / "asked").unlink()
    kind.up()
    assert not asked(state, " build ") + asked(state, " save ") + asked(state, " load ")
    assert asked(state, "kind export kubeconfig")


def test_only_what_the_node_lacks_is_loaded(state: Path) -> None:
    put(state, "kind", KIND)
    put(state, "docker")
    references = [image.reference for image in kind.up().values()]
    (state / "node").write_text("".join(f"{reference}\n" for reference in references[1:]))
    (state / "asked").unlink()
    kind.up()
    assert asked(state, " save ")[0].count("localhost/") == 1
    assert references[0] in asked(state, " save ")[0]


def test_the_images_stand_on_public_ones_alone() -> None:
    for image in product.images_on_public_bases().values():
        assert set(image.bases) <= {"TORCH_IMAGE"}
        assert all(not base.bases for base in image.bases.values())


def test_the_users_own_kubeconfig_is_left_alone(state: Path) -> None:
    put(state, "kind", KIND)
    put(state, "docker")
    kind.up()
    for line in asked(state, "kind create") + asked(state, "kind export"):
        assert f"--kubeconfig={state / 'cache'}" in line
