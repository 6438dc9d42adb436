"""A user's requirements file is read strictly, and written anew for pip."""

import contextlib
import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_pods.package.requirements_file import FLAGS, MAX_BYTES, RequirementsError, parse

HERE = Path("/nowhere")
DIGEST = "a" * 64


def read(text: str, folder: Path = HERE) -> list[str]:
    return parse(io.BytesIO(text.encode()), folder).splitlines()


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("numpy", "numpy"),
        ("numpy == 2.0  # the newest", "numpy==2.0"),
        ("transformers[torch] >= 4, < 6", "transformers[torch]<6,>=4"),
        ("tomli; python_version < '3.11'", 'tomli; python_version < "3.11"'),
        (f"a==1 --hash=sha256:{DIGEST}", f"a==1 --hash=sha256:{DIGEST}"),
        (f"a==1 \\\n  --hash=sha256:{DIGEST}", f"a==1 --hash=sha256:{DIGEST}"),
        ("-i https://index.example.com/simple", "--index-url https://index.example.com/simple"),
        ("--extra-index-url=http://a.example/s", "--extra-index-url http://a.example/s"),
        ("-f https://a.example/wheels", "--find-links https://a.example/wheels"),
        ("--no-index", "--no-index"),
        ("a @ https://a.example/a-1-py3-none-any.whl", "a@ https://a.example/a-1-py3-none-any.whl"),
        ("https://a.example/a-1-py3-none-any.whl", "https://a.example/a-1-py3-none-any.whl"),
    ],
)
def test_ordinary_lines_mean_the_same(line: str, plain: str) -> None:
    (found,) = read(line)
    assert found.replace(" @ ", "@ ") == plain


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_that_was_written_on_windows_is_read(encoding: str) -> None:
    data = "numpy==2.0\r\ntomli\r\n".encode(encoding)
    assert parse(io.BytesIO(data), HERE).splitlines() == ["numpy==2.0", "tomli"]


@pytest.mark.parametrize("data", [b"\xff\xfen", b"n\xff"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(RequirementsError, match="no UTF-8 text"):
        parse(io.BytesIO(data), HERE)


def test_wheels_beside_the_file_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").touch()
    assert read("-f wheels\n./wheels/a.whl\n", tmp_path) == [
        f"--find-links {tmp_path}/wheels",
        f"{tmp_path}/wheels/a.whl",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "--editable ./here",
        ".",
        "./folder",
        "/etc/passwd",
        "git+https://a.example/x.git",
        "a @ git+https://a.example/x.git",
        "a @ file:///etc/a.whl",
        "https://a.example/a-1.tar.gz",
        "a @ https://a.example/a-1.zip",
        "evil.tar.gz",
        "evil.zip",
        "-r other.txt",
        "-c constraints.txt",
        "--find-links /etc",
        "--find-links ../up",
        "--find-links file:///etc",
        "--index-url file:///etc",
        "--index-url https://a.example/${AWS_SECRET_ACCESS_KEY}",
        "--no-binary :all:",
        "--trusted-host a",
        "--config-settings x=y",
        "a==1 --global-option=build",
        "a==1 --config-settings=x",
        "a==1 --hash=md5:0",
        "../a.whl",
    ],
)
def test_what_would_run_code_or_lead_out_is_refused_and_names_the_line(line: str) -> None:
    with pytest.raises(RequirementsError, match="AtStart") as raised:
        read(f"numpy\n{line}\n")
    assert line[:40] in str(raised.value).replace("\\\\", "\\")


def test_a_file_that_is_too_long_is_refused() -> None:
    with pytest.raises(RequirementsError, match="longer"):
        parse(io.BytesIO(b"#" * (MAX_BYTES + 1)), HERE)


@given(st.one_of(st.text(), st.text(alphabet="-ea.=/:@ \\#;[]'\"\n$|ghtps+whl")))
def test_whatever_a_file_says_pip_gets_named_packages_and_wheels_alone(text: str) -> None:
    try:
        lines = read(text)
    except RequirementsError:
        return
    for line in lines:
        named = line[:1].isalnum() and not line.lower().startswith(("git+", "file:"))
        option = line in FLAGS or line.startswith(("--index-url http", "--extra-index-url http"))
        assert named or option or line.startswith("--find-links http"), line


@pytest.mark.parametrize("line", ["a{}b", "a==1{}--hash", "{}#", "-i{}x"])
def test_a_line_of_blanks_takes_no_longer_than_its_length(line: str) -> None:
    begin = time.thread_time()
    with contextlib.suppress(RequirementsError):
        read(line.format(" " * (MAX_BYTES // 4)))
    assert time.thread_time() - begin < 5
