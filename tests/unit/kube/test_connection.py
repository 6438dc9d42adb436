"""How the way to a cluster is found, and how tokens are kept fresh."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import load_kube_config

from slipway.kube.connection import TokenRefresh, connect
from slipway.kube.errors import KubeError


def write(path: Path, token: str, server: str = "http://127.0.0.1:1") -> Path:
    """Write a kubeconfig with a token."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": token}}],
    }
    path.write_text(json.dumps(config))
    return path


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def header(configuration: Configuration) -> str:
    settings = await configuration.auth_settings()
    return str(settings["BearerToken"]["value"])


async def test_a_token_is_loaded_again_after_ten_minutes(tmp_path: Path) -> None:
    path, clock = write(tmp_path / "config", "old"), Clock()
    configuration = Configuration()
    await load_kube_config(config_file=str(path), client_configuration=configuration)
    configuration.refresh_api_key_hook = TokenRefresh(str(path), clock)
    write(path, "new")
    clock.now = 599.0
    assert await header(configuration) == "Bearer old"
    clock.now = 600.0
    assert await header(configuration) == "Bearer new"


async def test_a_kubeconfig_that_went_leaves_the_token_as_it_was(tmp_path: Path) -> None:
    path, clock = write(tmp_path / "config", "old"), Clock()
    configuration = Configuration()
    await load_kube_config(config_file=str(path), client_configuration=configuration)
    configuration.refresh_api_key_hook = TokenRefresh(str(path), clock)
    path.unlink()
    clock.now = 600.0
    assert await header(configuration) == "Bearer old"


async def test_the_watches_session_has_the_present_token_in_each_request(tmp_path: Path) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        assert request.headers["Accept-Encoding"] == "identity", "the server compresses no list"
        return web.json_response({})

    application = web.Application()
    application.router.add_get("/api", answer)
    server = TestServer(application)
    await server.start_server()
    path = write(tmp_path / "config", "secret", str(server.make_url("/")).rstrip("/"))
    observed: list[tuple[str, str, bool, int]] = []
    connection = await connect(path, 2, lambda *_: None)
    session = connection.session(2, lambda *each: observed.append(each))
    async with session.get(f"{connection.server}/api?watch=true"):
        pass
    assert seen == ["Bearer secret"]
    assert observed == [("GET", "/api", True, 200)]
    await session.close()
    await connection.close()
    await server.close()


async def test_without_any_configuration_the_ways_to_give_one_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeError, match="--kubeconfig or KUBECONFIG"):
        await connect(None, 2, lambda *_: None)
