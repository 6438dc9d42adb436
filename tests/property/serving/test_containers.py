"""Servers of the users' own, whatever is said of them: their pods, and the doors to them."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.api import ModelDeployment
from slipway.api.serving.model_status import ModelStatus
from slipway.envoy import DRAIN_HEADER, Split, route_file
from slipway.pods.permitted import violation
from slipway.serving.children.pod.configuration import proxy
from slipway.serving.children.revision import recorded, revision_of
from tests.unit.serving.world import SETTINGS, SHA, World

PATHS = st.from_regex(r"/([a-c.:]{1,3}/?){0,3}", fullmatch=True)
WORDS = st.lists(st.text("ab $(){}-", max_size=8), max_size=3)
NAMES = st.lists(st.sampled_from(["HOME", "TMPDIR", "SLIPWAY_MODEL", "A"]), unique=True)
CONTAINERS = st.fixed_dictionaries(
    {"image": st.sampled_from(["mine:1", "registry.example/team/mine@sha256:ab"])},
    optional={
        "command": WORDS,
        "args": WORDS,
        "port": st.integers(1, 7999),
        "env": NAMES.map(lambda names: [{"name": name, "value": "1"} for name in names]),
        "modelMount": st.sampled_from(["/mnt/models", "/models/iris"]),
        "predictPath": PATHS,
        "paths": st.lists(PATHS, min_size=1, max_size=4),
        "readiness": st.one_of(
            st.builds(lambda path: {"path": path}, PATHS), st.just({"grpc": {"service": "a"}})
        ),
        "drain": st.builds(lambda path: {"path": path}, PATHS),
        "metricsPath": PATHS,
        "maxConcurrentRequests": st.integers(1, 10_000),
    },
)
URIS = st.sampled_from(["s3://slipway/shared/a/", "s3://slipway/shared/a.pkl"])
OTHER_SLOT = Split(target="10.0.0.1:80", weight=100)


def deployed(container: dict[str, Any], uri: str) -> tuple[ModelDeployment, ModelStatus]:
    server = {"runtime": "Container", "container": container}
    deployment = World({"uri": uri, "sha256": SHA}, server=server).snapshot().deployment
    return deployment, ModelStatus(name="web", uri=uri, sha256=SHA)


@given(CONTAINERS, URIS)
@settings(max_examples=60)
def test_a_pod_keeps_to_the_standard_and_to_what_is_said_of_its_server(
    container: dict[str, Any], uri: str
) -> None:
    made = revision_of(*deployed(container, uri), SETTINGS)
    assert violation(made.template, "restricted") is None
    (main,) = made.template["spec"]["containers"]
    assert main["image"] == container["image"]
    for field in ("command", "args"):
        assert main.get(field, []) == container.get(field, [])
    variables = [(one["name"], one["value"]) for one in main["env"]]
    assert len({name for name, _ in variables}) == len(variables)
    assert {(one["name"], one["value"]) for one in container.get("env", ())} <= {*variables}
    assert [one for one in main["volumeMounts"] if one["name"] == "models"] == [
        {
            "name": "models",
            "mountPath": container.get("modelMount", "/mnt/models"),
            "readOnly": True,
            "subPath": "model",
        }
    ]
    token = {"name": DRAIN_HEADER, "value": made.proxy.drain_token}
    assert main["lifecycle"]["preStop"]["httpGet"]["httpHeaders"] == [token]


def answered_by(routes: list[dict[str, Any]], path: str, **headers: str) -> dict[str, Any]:
    """Return the first route that matches a request, as Envoy finds it."""

    def has(matcher: dict[str, Any]) -> bool:
        value = headers.get(matcher["name"].replace("-", "_"))
        return value is not None and value == matcher.get("string_match", {}).get("exact")

    def matches(match: dict[str, Any]) -> bool:
        by_path = (
            path == match.get("path")
            or path.startswith(match.get("prefix", "\0"))
            or re.fullmatch(match.get("safe_regex", {}).get("regex", "\0"), path)
        )
        return bool(by_path) and all(has(one) for one in match.get("headers", ()))

    return next(route for route in routes if matches(route["match"]))


@given(CONTAINERS, PATHS, st.booleans())
@settings(max_examples=200)
def test_users_reach_the_paths_that_are_named_and_no_other(
    container: dict[str, Any], path: str, shared: bool
) -> None:
    config = proxy(*deployed(container, "s3://slipway/shared/a/"))
    (document,) = route_file(config, OTHER_SLOT if shared else Split())["resources"]
    (host,) = document["virtual_hosts"]
    named = path == "/predict" or path.startswith(tuple(container.get("paths", ["/"])))
    route = answered_by(host["routes"], path)
    assert ("route" in route) == named
    token = config.forward_token
    prediction = answered_by(
        host["routes"], path, x_slipway_token=token, x_slipway_prediction="true"
    )
    assert prediction["route"]["cluster"] == "torchserve"
    assert prediction["route"]["regex_rewrite"]["substitution"] == config.upstream.predictions
    handed_on = answered_by(
        host["routes"], path, x_slipway_token=token, x_slipway_prediction="false"
    )
    assert handed_on.get("route", {}).get("cluster") == ("torchserve" if named else None)


@given(CONTAINERS, st.lists(st.sampled_from(["A", "B"]), unique=True))
@settings(max_examples=30, deadline=None)
def test_a_revision_is_remembered_as_it_was_made_whatever_the_spec_says_later(
    container: dict[str, Any], names: list[str]
) -> None:
    env = [{"name": name, "value": "1"} for name in names]
    server = {"runtime": "Container", "container": {**container, "env": env}}
    world = World({"uri": "s3://slipway/shared/a.pkl", "sha256": SHA}, server=server)
    made = revision_of(*deployed({**container, "env": env}, "s3://slipway/shared/a.pkl"), SETTINGS)
    world.reconcile()
    world.change(server={"runtime": "TorchServe"})
    seen = world.snapshot()
    kept = recorded(seen.deployment, seen.children, made.name, "restricted")
    assert kept is not None
    assert (kept.template, kept.proxy) == (made.template, made.proxy)
