import asyncio
import json
import stat
from pathlib import Path

import aiohttp
import pytest
import yaml

from slipway.envoy import route_file, to_text
from tests.unit.envoy.pod import JSON, Pod, eventually, mount, running_pod


async def test_predict_is_the_models_own_path(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        assert await pod.post("/predict?a=1", b"[1, 2]") == (200, "[1, 2]")
        assert await pod.post("/predictions/iris", b"[3]") == (200, "[3]")
        assert pod.torchserve.paths == ["/predictions/iris?a=1", "/predictions/iris"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ping",
        "/models",
        "/predict/",
        "/predictions/other",
        "/predictions/iris/1.0",
        "/stats",
        "/healthcheck/fail",
        "/predictions/iris/../../models",
        "/predictions%2Firis",
    ],
)
async def test_everything_else_is_refused_in_json(tmp_path: Path, path: str) -> None:
    async with running_pod(tmp_path) as pod:
        reader, writer = await asyncio.open_connection("127.0.0.1", pod.config.http_port)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        assert head.split()[1] in ("400", "404")
        assert json.loads(body)["code"] == int(head.split()[1])
        assert pod.torchserve.paths == []
        if head.split()[1] == "404":
            assert "Post to /predict or /predictions/iris" in json.loads(body)["message"]


ADMIN_PATHS = (
    "/config_dump",
    "/runtime_modify?slipway.access_log.min_code=600",
    "/quitquitquit",
    "/drain_listeners",
    "/stats/../config_dump",
    "/logging?level=trace",
)


@pytest.mark.parametrize("path", ADMIN_PATHS)
async def test_no_port_leads_to_the_admin_interface(tmp_path: Path, path: str) -> None:
    async with running_pod(tmp_path) as pod:
        config = pod.config
        for port in (config.http_port, config.ops_port, config.hooks_port):
            for method in ("GET", "POST"):
                async with pod.session.request(method, pod.url(port, path)) as answer:
                    assert answer.status in (400, 404)
        mode = Path(config.admin_socket).stat().st_mode  # noqa: ASYNC240 - once, a local file
        assert stat.S_IMODE(mode) == 0o600


async def test_probes_are_answered_by_get_alone_and_drains_begun_by_post(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        for path in ("/healthcheck/fail", "/healthcheck/ok"):
            assert (await pod.get(pod.config.hooks_port, path))[0] == 404


async def test_torchserve_is_not_named_to_users(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        url = pod.url(pod.config.http_port, "/predict")
        async with pod.session.post(url, data=b"1") as answer:
            assert answer.headers["server"] == "slipway"
            assert not [name for name in answer.headers if name.lower().startswith("x-envoy")]


async def test_users_cannot_change_timeouts_or_retries_by_headers(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        headers = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "9"}
        url = pod.url(pod.config.http_port, "/predict?slow=1")
        request = asyncio.create_task(fetch(pod.session, url, headers))
        await eventually(lambda: seen(pod), "TorchServe has the request")
        pod.torchserve.release.set()
        assert await request == 200


async def fetch(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
    async with session.post(url, data=b"1", headers=headers) as answer:
        return answer.status


async def seen(pod: Pod) -> bool:
    return bool(pod.torchserve.paths)


async def test_an_answer_later_than_the_timeout_is_a_json_504(tmp_path: Path) -> None:
    async with running_pod(tmp_path, response_timeout=-4) as pod:
        status, body = await pod.post("/predict?slow=1")
        assert (status, json.loads(body)["code"]) == (504, 504)


async def test_a_failed_prediction_is_not_tried_again(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        pod.torchserve.status = 503
        assert (await pod.post("/predict"))[0] == 503
        assert len(pod.torchserve.paths) == 1


async def test_only_errors_are_logged(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        await pod.post("/predict?first=1")
        pod.torchserve.status = 503
        await pod.post("/predict?secret=2")

        async def logged() -> bool:
            return '"code":503' in (tmp_path / "envoy.log").read_text()

        await eventually(logged, "the failed request is in the log")
        lines = (tmp_path / "envoy.log").read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        assert [(entry["code"], entry["path"]) for entry in entries] == [(503, "/predictions/iris")]


async def test_metrics_of_envoy_and_torchserve_can_be_scraped(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        await pod.post("/predict")
        status, text = await pod.get(pod.config.ops_port, "/metrics")
        assert status == 200
        counters = [
            line for line in text.splitlines() if line.startswith("envoy_http_downstream_rq_xx{")
        ]
        users = [line for line in counters if 'envoy_http_conn_manager_prefix="http"' in line]
        assert len(users) == 5
        assert all('slipway_model="iris"' in line for line in users)
        assert "envoy_cluster_upstream_rq_time_bucket" in text
        assert await pod.get(pod.config.ops_port, "/metrics/torchserve") == (200, "QueueTime 1.0\n")
        async with pod.session.post(pod.url(pod.config.ops_port, "/metrics")) as answer:
            assert answer.status == 404


async def test_a_new_route_file_takes_effect_and_loses_no_request(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        moved = route_file(pod.config)
        host = moved["resources"][0]["virtual_hosts"][0]
        host["response_headers_to_add"] = [{"header": {"key": "x-routes", "value": "second"}}]
        seen_by: list[tuple[int, str | None]] = []

        async def one_more_is_answered_by_the_second() -> bool:
            url = pod.url(pod.config.http_port, "/predict")
            async with pod.session.post(url, data=b"1") as answer:
                await answer.read()
                seen_by.append((answer.status, answer.headers.get("x-routes")))
            return len(seen_by) > 20 and seen_by[-1][1] == "second"

        for _ in range(20):
            await one_more_is_answered_by_the_second()
        mount(tmp_path / "routes", to_text(moved))
        await eventually(one_more_is_answered_by_the_second, "the new route file is in use")
        assert {status for status, _ in seen_by} == {200}


async def test_a_broken_route_file_leaves_the_last_good_one_in_use(tmp_path: Path) -> None:
    async with running_pod(tmp_path) as pod:
        mount(tmp_path / "routes", yaml.safe_dump({"resources": [{"@type": "nonsense"}]}))

        async def refused() -> bool:
            counts = await pod.admin("/stats?filter=rds.slipway.update", "GET")
            return any(
                line.split(": ")[1] != "0"
                for line in counts.splitlines()
                if "update_rejected" in line or "update_failure" in line
            )

        await eventually(refused, "Envoy has refused the file")
        assert (await pod.post("/predict"))[0] == 200


async def test_torchserve_gets_no_more_requests_than_fit_and_the_others_wait(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path, most_at_once=2, most_waiting=3) as pod:
        asked = [asyncio.create_task(pod.post("/predict?slow=1")) for _ in range(2)]
        await until(pod, asked=2, waiting=0)
        asked += [asyncio.create_task(pod.post("/predict?slow=1")) for _ in range(3)]
        await until(pod, asked=2, waiting=3)
        pod.torchserve.release.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200] * 5
        assert len(pod.torchserve.paths) == 5


async def test_a_request_that_its_client_gives_up_is_not_asked_of_torchserve(
    tmp_path: Path,
) -> None:
    async with running_pod(tmp_path, most_at_once=1, most_waiting=9) as pod:
        first = asyncio.create_task(pod.post("/predict?slow=1"))
        await until(pod, asked=1, waiting=0)
        second = asyncio.create_task(pod.post("/predict?given=up"))
        await until(pod, asked=1, waiting=1)
        second.cancel()
        await until(pod, asked=1, waiting=0)
        pod.torchserve.release.set()
        assert (await first)[0] == 200
        assert pod.torchserve.paths == ["/predictions/iris?slow=1"]


async def test_what_does_not_fit_is_refused_by_envoy_which_says_so(tmp_path: Path) -> None:
    async with running_pod(tmp_path, most_at_once=1, most_waiting=1) as pod:
        asked = [asyncio.create_task(pod.post("/predict?slow=1"))]
        await until(pod, asked=1, waiting=0)
        asked.append(asyncio.create_task(pod.post("/predict?slow=1")))
        await until(pod, asked=1, waiting=1)
        url = pod.url(pod.config.http_port, "/predict")
        async with pod.session.post(url, data=b"1", headers=JSON) as answer:
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            said = await answer.json()
        assert said["type"] == "Slipway"
        assert "wait for the model" in said["message"]
        assert await counted(pod, "upstream_rq_pending_overflow") == 1
        pod.torchserve.release.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200, 200]


async def until(pod: Pod, *, asked: int, waiting: int) -> None:
    """Wait until TorchServe was asked so often and so many requests wait in Envoy."""

    async def holds() -> bool:
        held = await counted(pod, "upstream_rq_pending_active")
        return (len(pod.torchserve.paths), held) == (asked, waiting)

    await eventually(holds, f"{asked} are asked and {waiting} wait")


async def counted(pod: Pod, name: str) -> int:
    """Return a statistic of Envoy's of what it asks of TorchServe."""
    text = await pod.admin(f"/stats?filter=^cluster.torchserve.{name}$", "GET")
    return int(text.rpartition(":")[2] or 0)
