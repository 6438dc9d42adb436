"""A real Envoy before a server of a user's own: what it hands on, and how it knows of it."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from slipway.envoy import (
    DRAIN_HEADER,
    DRAIN_PATH,
    SERVER_METRICS_PATH,
    Split,
    bootstrap,
    route_file,
    to_text,
)
from slipway_pods.serve import hooks
from slipway_runtime import drain
from tests.harness.ports import free_port
from tests.unit.envoy.pod import (
    Pod,
    envoy_binary,
    eventually,
    mount,
    proxy_config,
    running_pod,
)

TOKEN = "between-us"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def own(**container: Any) -> dict[str, Any]:
    """Return a spec.server with a container."""
    return {"runtime": "Container", "container": {"image": "mine:1", **container}}


async def asked(pod: Pod, path: str, method: str = "POST", **headers: str) -> tuple[int, str]:
    """Return the code, and what the server was asked for; empty where it was not asked."""
    url = pod.url(pod.config.http_port, path)
    async with pod.session.request(method, url, data=b"[1]", headers=headers) as answer:
        await answer.read()
        return answer.status, answer.headers.get("x-asked", "")


async def test_predictions_lead_to_the_path_that_the_server_knows(tmp_path: Path) -> None:
    server = own(predictPath="/v1/models/iris:predict")
    async with running_pod(tmp_path, server=server) as pod:
        for path in ("/predict", "/predictions/iris"):
            assert await asked(pod, f"{path}?a=1") == (200, "POST /v1/models/iris:predict?a=1")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_all_other_paths_are_handed_on_with_any_method(tmp_path: Path, method: str) -> None:
    async with running_pod(tmp_path, server=own()) as pod:
        for path in ("/", "/v2/models/iris/infer?x=1", "/predict"):
            assert await asked(pod, path, method) == (200, f"{method} {path}")


async def test_only_the_paths_that_are_named_are_handed_on(tmp_path: Path) -> None:
    async with running_pod(tmp_path, server=own(paths=["/v1/", "/v2/health"])) as pod:
        assert await asked(pod, "/v1/models", "GET") == (200, "GET /v1/models")
        assert (await asked(pod, "/v2/health/ready", "GET"))[0] == 200
        assert await asked(pod, "/predict") == (200, "POST /predict")
        for path in (
            "/admin",
            "/v1/../admin",
            "/v1/%2e%2e/admin",
            "/V1/models",
            "/v1%2f..%2fadmin",
        ):
            code, path_of_server = await asked(pod, path)
            assert (code in {400, 404}, path_of_server) == (True, ""), path


async def test_as_many_and_as_long_paths_as_may_be_named_are_handed_on(tmp_path: Path) -> None:
    many = [f"/{'x' * 1000}{number}" for number in range(32)]
    async with running_pod(tmp_path, server=own(paths=many)) as pod:
        assert (await asked(pod, "/predict"))[0] == 200
        assert await asked(pod, f"{many[-1]}/y", "GET") == (200, f"GET {many[-1]}/y")
        code, text = await pod.post("/none")
        assert (code, "server.container.paths" in text) == (404, True)


async def test_forms_are_the_servers_own_business(tmp_path: Path) -> None:
    async with running_pod(tmp_path, server=own()) as pod:
        assert (await asked(pod, "/predict", **FORM))[0] == 200
        nested = {"content-type": "multipart/form-data; boundary=b; charset=latin-1"}
        assert (await asked(pod, "/predict", **nested))[0] == 200


async def test_the_longest_body_holds_for_every_path(tmp_path: Path) -> None:
    async with running_pod(tmp_path, server=own(), max_request_bytes=1024) as pod:

        async def chunks() -> Any:
            yield b"x" * 1025

        for body in (b"x" * 1025, chunks()):
            url = pod.url(pod.config.http_port, "/upload")
            async with pod.session.post(url, data=body) as answer:
                assert answer.status == 413
        assert pod.torchserve.paths == []


async def test_a_page_for_prometheus_leads_it_nowhere_else(tmp_path: Path) -> None:
    async with running_pod(tmp_path, server=own(metricsPath="/metrics")) as pod:
        pod.torchserve.moved = "http://store.example/"
        url = pod.url(pod.config.ops_port, SERVER_METRICS_PATH)
        async with pod.session.get(url, allow_redirects=False) as answer:
            assert (answer.status, answer.headers.get("location")) == (302, None)


@pytest.mark.parametrize("readiness", [{"readiness": {"path": "/healthz"}}, {}])
async def test_the_pod_is_ready_while_the_server_is(
    tmp_path: Path, readiness: dict[str, Any]
) -> None:
    async with running_pod(tmp_path, server=own(**readiness)) as pod:
        await eventually(pod.ready, "the pod is ready")
        if readiness:
            pod.torchserve.states.clear()
        else:
            await pod.torchserve.stop()
        await eventually(pod.unready, "the pod is unready")


async def test_the_hooks_know_whether_envoy_takes_the_server_for_ready(tmp_path: Path) -> None:
    async with running_pod(tmp_path, server=own(readiness={"path": "/healthz"})) as pod:
        envoy = drain.Settings(admin=f"http://127.0.0.1:{pod.config.hooks_port}")

        async def healthy() -> bool:
            return await asyncio.to_thread(hooks.is_healthy, envoy)

        async def unhealthy() -> bool:
            return not await healthy()

        await eventually(healthy, "the hooks see that the server is ready")
        await asyncio.to_thread(drain.hold, envoy)
        assert await pod.unready()
        assert await healthy()
        pod.torchserve.states.clear()
        await eventually(unhealthy, "the hooks see that it is not")


async def test_the_servers_own_metrics_are_served_and_else_an_empty_page(tmp_path: Path) -> None:
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
    async with running_pod(tmp_path / "with", server=own(metricsPath="/metrics")) as pod:
        assert await pod.get(pod.config.ops_port, "/metrics/torchserve") == (200, "QueueTime 1.0\n")
    async with running_pod(tmp_path / "without", server=own()) as pod:
        assert await pod.get(pod.config.ops_port, "/metrics/torchserve") == (200, "")
        assert (await pod.get(pod.config.ops_port, "/livez/torchserve"))[0] == 404
        assert (await pod.get(pod.config.ops_port, "/workers/last-death"))[0] == 404


async def test_only_who_knows_the_token_drains_the_pod_and_it_may_take_long(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def draining(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    app, port = web.Application(), free_port()
    app.router.add_get("/drain", draining)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with running_pod(tmp_path, server=own(), drain_token="known", drain_port=port) as pod:
        url = pod.url(pod.config.ops_port, DRAIN_PATH)

        async def code(**headers: str) -> int:
            async with pod.session.get(url, headers=headers) as answer:
                return answer.status

        assert await code() == 404
        assert await code(**{DRAIN_HEADER: "guessed"}) == 404
        drained = asyncio.create_task(code(**{DRAIN_HEADER: "known"}))
        await asyncio.wait([drained], timeout=31)  # longer than the listener lets others be idle
        assert not drained.done()
        release.set()
        assert await drained == 200
    await runner.cleanup()


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("candidate", ["own", "torchserve"])
async def test_the_other_slot_is_asked_for_the_same_by_its_own_names(
    tmp_path: Path, candidate: str, mirror: bool
) -> None:
    for name in ("stable", "candidate"):
        (tmp_path / name).mkdir()
    other = own(predictPath="/infer") if candidate == "own" else None
    stable_server = own(predictPath="/v1/models/iris:predict")
    async with (
        running_pod(tmp_path / "stable", server=stable_server, forward_token=TOKEN) as stable,
        running_pod(
            tmp_path / "candidate", server=other, model="other", forward_token=TOKEN
        ) as new,
    ):
        target = f"127.0.0.1:{new.config.http_port}"
        split = Split(target=target, weight=100, mirror=mirror)
        mount(Path(stable.config.routes_folder), to_text(route_file(stable.config, split)))

        async def forwards() -> bool:
            await asked(stable, "/predict")
            return bool(new.torchserve.paths)

        await eventually(forwards, "the other slot is asked")
        own_path = "/infer" if other else "/predictions/other"
        assert set(new.torchserve.paths) == {own_path}
        new.torchserve.paths.clear()
        code, _ = await asked(stable, "/v1/models/x", "GET", **{"x-slipway-prediction": "true"})
        if mirror:
            assert code == 200
        elif other:
            assert (code, new.torchserve.paths) == (200, ["/v1/models/x"])
        else:
            assert (code, new.torchserve.paths) == (404, [])
        for seen in (*stable.torchserve.headers, *new.torchserve.headers):
            assert not {name for name in seen if name.startswith("x-slipway")}


async def test_torchserve_sends_its_candidate_predictions(tmp_path: Path) -> None:
    for name in ("stable", "candidate"):
        (tmp_path / name).mkdir()
    async with (
        running_pod(tmp_path / "stable", forward_token=TOKEN) as stable,
        running_pod(
            tmp_path / "candidate", server=own(predictPath="/infer"), forward_token=TOKEN
        ) as new,
    ):
        target = f"127.0.0.1:{new.config.http_port}"
        text = to_text(route_file(stable.config, Split(target=target, weight=100)))
        mount(Path(stable.config.routes_folder), text)

        async def forwards() -> bool:
            return (await asked(stable, "/predict"))[1] == "POST /infer"

        await eventually(forwards, "the candidate is asked for a prediction")
        assert (await asked(stable, "/v1/models", "GET"))[0] == 404


EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "own-server").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_envoy_takes_the_configuration_of_every_example(tmp_path: Path, path: Path) -> None:
    server = yaml.safe_load(path.read_text())["spec"]["server"]
    config = proxy_config(tmp_path, server=server, drain_token="known")
    mount(tmp_path, to_text(route_file(config, Split(target="127.0.0.1:80", weight=10))))
    (tmp_path / "envoy.yaml").write_text(to_text(bootstrap(config)))
    command = [envoy_binary(), "--mode", "validate", "-c", str(tmp_path / "envoy.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
