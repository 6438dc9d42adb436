"""Files and folders from Azure, Google and the Hub, by their own client libraries.

Azure's and Google's servers ask for the key of an account.
"""

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from slipway_pods.store import clouds, store
from tests.unit.runtime import cloud_servers
from tests.unit.runtime.cloud_servers import Azure, Google, Hub

BASES = {"az": "az://data", "gs": "gs://data", "hf": "hf://team/net@main"}
HANDLERS: dict[str, type[cloud_servers.Handler]] = {"az": Azure, "gs": Google, "hf": Hub}
AZURE_KEY = "a2V5"

SCRIPT = """
import json, os, pathlib, sys
from slipway_pods.bring import download
from slipway_pods.store import store
told = {}
for number, uri in enumerate(sys.argv[2:]):
    folder = pathlib.Path(sys.argv[1], str(number))
    folder.mkdir()
    try:
        download.bring(uri, folder, "input data")
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        told[uri] = {str(path.relative_to(folder)): path.read_text() for path in paths}
    except store.StoreError as error:
        told[uri] = f"{type(error).__name__}: {error}"
print(json.dumps(told))
"""
"""One process for all URIs of a scheme: the libraries take seconds to import."""


def variables(scheme: str, url: str) -> dict[str, str]:
    """Return what a Secret would say, with the server at a URL."""
    account = f"AccountName=team;AccountKey={AZURE_KEY};BlobEndpoint={url}/team;"
    google = {"GOOGLE_SERVICE_ACCOUNT_JSON": cloud_servers.service_account(url)}
    return {
        "az": {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;{account}"},
        "gs": {"STORAGE_EMULATOR_HOST": url, **google},
        "hf": {"HF_ENDPOINT": url},
    }[scheme]


@pytest.fixture(scope="module", params=sorted(BASES))
def brought(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What came of each URI of a scheme, by the URI's path."""
    scheme, base = request.param, BASES[request.param]
    folder = tmp_path_factory.mktemp(scheme)
    with served(scheme) as url:
        env = {"HF_HOME": str(folder / "home"), **variables(scheme, url)}
        uris = [f"{base}/{path}" for path in ("rows.csv", "set/", "set", "none.csv", "none/")]
        found = bring(folder, env, *uris)
    return {uri.removeprefix(f"{base}/"): told for uri, told in found.items()}


def served(scheme: str, **changes: Any) -> AbstractContextManager[str]:
    """Serve a scheme's files to who has the key."""
    key = cloud_servers.public_pem() if scheme == "gs" else AZURE_KEY
    settings = {"key": key, **changes}
    return cloud_servers.serve(type("Asking", (HANDLERS[scheme],), settings))


def bring(folder: Path, env: dict[str, str], *uris: str) -> dict[str, Any]:
    """Return what came of each URI."""
    argv = [sys.executable, "-c", SCRIPT, str(folder), *uris]
    env = {**os.environ, **env}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_file_and_a_folder_are_brought(brought: dict[str, Any]) -> None:
    assert brought["rows.csv"] == {"rows.csv": "0123456789"}
    assert brought["set/"] == {"a.csv": "aaa", "deep/b.csv": "bbbb"}
    assert brought["set"] == brought["set/"]


@pytest.mark.parametrize("path", ["none.csv", "none/"])
def test_what_is_not_there_is_told(brought: dict[str, Any], path: str) -> None:
    assert brought[path].startswith("ObjectNotFoundError: There is nothing at")


def test_what_an_account_may_not_read_is_told_as_denied(tmp_path: Path) -> None:
    uri = f"gs://data/{cloud_servers.CLOSED}"
    with served("gs") as url:
        told = bring(tmp_path, variables("gs", url), uri)[uri]
    assert told.startswith("AccessDeniedError: The store denies access to gs://data/closed.csv")


def test_another_key_of_an_azure_account_is_told_as_denied(tmp_path: Path) -> None:
    with served("az", key="b3RoZXI=") as url:
        told = bring(tmp_path, variables("az", url), "az://data/rows.csv", "az://data/set/")
    assert {text.partition(":")[0] for text in told.values()} == {"AccessDeniedError"}, told


@pytest.mark.parametrize("key", ["no json", "{}", '"text"', "[]", "5", '{"private_key": "x"}'])
def test_a_google_key_that_is_none_is_told(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_JSON", key)
    with pytest.raises(store.AccessDeniedError, match="put the whole JSON file there"):
        store.get_file("gs://data/rows.csv", tmp_path / "rows.csv", 100)


def test_http_credentials_are_a_pair_or_a_token() -> None:
    assert clouds.http_credentials({}) == {}
    pair = clouds.http_credentials({"username": "me", "password": "secret"})["headers"]
    assert pair == {"Authorization": "Basic bWU6c2VjcmV0"}
    token = clouds.http_credentials({"token": "abc"})["headers"]
    assert token == {"Authorization": "Bearer abc"}


def test_a_status_is_found_wherever_a_library_puts_it() -> None:
    class Error(Exception):
        pass

    plain, response = Error(), Error()
    plain.code = 403  # type: ignore[attr-defined]
    response.response = type("Response", (), {"status_code": 429})  # type: ignore[attr-defined]
    assert [clouds.status(error) for error in (plain, response, Error())] == [403, 429, 0]
