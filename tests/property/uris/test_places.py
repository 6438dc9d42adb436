"""No URI that is written opens what is not its namespace's, however it is spelled."""

import posixpath
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.plan import Manifest
from slipway.uris import ObjectUri, StorePlaces, UriError, refusal
from tests.unit.serving.world import SETTINGS as SERVING
from tests.unit.serving.world import World
from tests.unit.training.simulation import SETTINGS, Cluster, spec

OWN = "default"
PLACES = SETTINGS.store.places
ROOTS = ("outputs", "checkpoints", "models", "shared")
PARTS = st.sampled_from(
    [
        "",
        ".",
        "..",
        OWN,
        "other",
        "DEFAULT",
        "default ",
        "%2e%2e",
        "%2E",
        "..%2f",
        "a",
        "*",
        "?",
        "#",
        *ROOTS,
        "Outputs",
        "\\",
        "..\\",
        "\x00",
        "default.",
        "defaults",
        "s3:",
        "@",
        "%64efault",
    ]
)
PREFIXES = st.sampled_from(
    ["s3://slipway", "s3://slipway/", "S3://slipway", "s3://Slipway", "s3:/"]
)
URIS = st.builds(
    lambda prefix, parts: "/".join([prefix, *parts]), PREFIXES, st.lists(PARTS, max_size=7)
)
"""URIs made of all that somebody who reads them may take for another thing."""


def readings(uri: str) -> set[tuple[str, ...]]:
    """Return the paths that a URI may mean to programs that decode, join, fold or cut more."""
    path = uri.partition("://")[2].partition("/")[2]
    texts = {path, unquote(path), unquote(unquote(path)), path.replace("\\", "/")}
    texts |= {cut for text in tuple(texts) for cut in (text.split("?")[0], text.split("#")[0])}
    return {PurePosixPath(posixpath.normpath(f"/{text}")).parts[1:] for text in texts}


@given(URIS)
def test_what_is_opened_is_the_namespaces_own_in_every_reading(uri: str) -> None:
    if refusal(uri, OWN, PLACES) is not None:
        return
    for parts in readings(uri):
        assert parts[:1] == ("shared",) or (parts[0] in ROOTS and parts[1] == OWN)


@given(URIS)
def test_what_is_written_to_is_never_what_all_share(uri: str) -> None:
    if refusal(uri, OWN, PLACES, writes=True) is None:
        assert all(parts[1:2] == (OWN,) for parts in readings(uri))


@given(
    st.lists(
        st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_no_namespace_has_anothers_opened(names: list[str]) -> None:
    one, other = names
    places = StorePlaces((*PLACES.own, "s3://slipway-{namespace}"), PLACES.shared)
    for place in places.writable(other):
        assert refusal(f"{str(place).rstrip('/')}/x", one, places) is not None
        assert refusal(f"{str(place).rstrip('/')}/x", other, places) is None


@given(st.text())
def test_any_text_is_a_uri_or_is_refused(text: str) -> None:
    try:
        parsed = ObjectUri.parse(f"s3://{text}")
    except UriError:
        return
    assert (
        ObjectUri.parse(str(parsed)) == ObjectUri(parsed.bucket, parsed.parts, True)
        or str(parsed) == f"s3://{text}"
    )


def lent(manifest: Manifest, secret: str) -> list[str]:
    """Return the texts in the containers to which the operator lends the store's credentials."""
    pod = manifest["spec"]["template"]["spec"]
    containers = (*pod.get("initContainers", ()), *pod["containers"])
    return [
        repr((container.get("env"), container.get("args")))
        for container in containers
        if volumes_of(secret, pod) & {mount["name"] for mount in container["volumeMounts"]}
    ]


def volumes_of(secret: str, pod: dict[str, Any]) -> set[str]:
    """Return the names of a pod's volumes with a Secret."""
    return {
        volume["name"]
        for volume in pod["volumes"]
        if volume.get("secret", {}).get("secretName") == secret
    }


FIELDS: dict[str, Any] = {
    "input": lambda uri, **more: {"inputs": [{"name": "rows", "uri": uri, **more}]},
    "archive": lambda uri, **more: {"source": {"archive": {"uri": uri, **more}}},
    "checkpoint": lambda uri, **more: {"checkpoint": {"uri": uri, **more}},
}


@pytest.mark.parametrize("field", FIELDS)
@given(uri=URIS, secret=st.sampled_from([None, "slipway-store"]))
def test_a_job_that_names_what_is_not_its_own_makes_no_pods(
    field: str, uri: str, secret: str | None
) -> None:
    more = {"credentialsSecretName": secret} if secret else {}
    cluster = Cluster(spec(**FIELDS[field](uri, **more)))
    made = cluster.reconcile()
    forbidden = refusal(uri, OWN, PLACES, writes=field == "checkpoint") is not None
    if uri.startswith("s3:") and forbidden:
        assert made.apply == ()
        failed = next(c for c in cluster.status["conditions"] if c["type"] == "Failed")
        assert (failed["reason"], uri in str(made.apply)) == ("ForbiddenUri", False)
    elif not uri.startswith("s3:") and field != "checkpoint":
        told = [
            text
            for one in made.apply
            if one["kind"] == "Job"
            for text in lent(one, "slipway-store")
        ]
        assert not any(repr(uri) in text for text in told)


@given(uri=URIS, by_status=st.booleans())
def test_an_archive_that_is_not_the_namespaces_own_is_not_served(uri: str, by_status: bool) -> None:
    world = World({"uri": uri, "sha256": "ab" * 32})
    if by_status:
        world = World({"trainingJob": {"name": "train"}})
        world.job = {
            "metadata": {"name": "train", "namespace": "demo", "uid": "u"},
            "spec": spec(),
            "status": {
                "package": {
                    "uri": uri,
                    "sha256": "ab" * 32,
                    "sizeBytes": 1,
                    "modelName": "iris",
                    "modelVersion": "1.0",
                }
            },
        }
    made = world.reconcile()
    if uri.startswith("s3:") and refusal(uri, "demo", SERVING.store.places) is not None:
        assert made.apply == ()
        assert world.condition("ModelReady").reason == "ForbiddenUri"
