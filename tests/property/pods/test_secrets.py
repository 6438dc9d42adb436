"""Whatever a user writes: only the operator's containers read its Secret in the pods it makes."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.pods.secrets import named_secret
from tests.unit.serving.world import World
from tests.unit.training.simulation import Cluster, spec

OWN = "slipway-store"
OURS = frozenset({"agent", "source", "fetch", "envoy"})
"""Containers that may read the Secret."""
NAMES = st.sampled_from([OWN, "mine"])
KEYED = st.builds(lambda name: {"name": name, "key": "k"}, NAMES)
VARIABLE = st.builds(
    lambda name, ref: {"name": name, "valueFrom": {"secretKeyRef": ref}},
    st.sampled_from("AB"),
    KEYED,
)
ENV_FROM = st.builds(lambda name: {"secretRef": {"name": name}}, NAMES)
VOLUME = st.one_of(
    st.builds(lambda name: {"secret": {"secretName": name}}, NAMES),
    st.builds(lambda name: {"projected": {"sources": [{"secret": {"name": name}}]}}, NAMES),
    st.builds(lambda name: {"csi": {"driver": "d", "nodePublishSecretRef": {"name": name}}}, NAMES),
    st.just({"emptyDir": {}}),
)
MOUNT = st.builds(
    lambda volume: {"name": volume, "mountPath": f"/m/{volume}"},
    st.sampled_from(["v", "source", "run", "config", "agent-tmp", "slipway-store"]),
)
CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "y"]), "image": st.just("x:1")},
    optional={
        "env": st.lists(VARIABLE, max_size=1),
        "envFrom": st.lists(ENV_FROM, max_size=2),
        "volumeMounts": st.lists(MOUNT, max_size=1),
    },
)
OVERLAY = st.fixed_dictionaries(
    {},
    optional={
        "containers": st.lists(CONTAINER, max_size=1),
        "initContainers": st.lists(CONTAINER, max_size=1),
        "volumes": VOLUME.map(lambda source: [{"name": "v", **source}]),
    },
)
ENV = st.lists(VARIABLE, max_size=1)


def _readers(pod: dict[str, Any]) -> Iterator[str]:
    """Yield the containers that get anything of the Secret."""
    holding = {
        one["name"] for one in pod["volumes"] if named_secret({"volumes": [one]}, frozenset({OWN}))
    }
    for container in (*pod["initContainers"], *pod["containers"]):
        mounted = {one["name"] for one in container.get("volumeMounts", ())}
        words = {key: container[key] for key in ("env", "envFrom") if key in container}
        if mounted & holding or named_secret(words, frozenset({OWN})):
            yield container["name"]


def _may_read(name: str) -> bool:
    return name in OURS or name.startswith("input-")


@given(OVERLAY, ENV)
def test_no_training_pod_hands_it_to_the_user(overlay: dict[str, Any], env: list[Any]) -> None:
    cluster = Cluster(spec(podTemplate={"spec": overlay}, env=env, checkpoint={}))
    for made in cluster.plan().apply:
        if made["kind"] == "Job":
            assert all(map(_may_read, _readers(made["spec"]["template"]["spec"])))


@given(OVERLAY, ENV)
def test_no_serving_pod_hands_it_to_the_user(overlay: dict[str, Any], env: list[Any]) -> None:
    world = World(podTemplate={"spec": overlay}, server={"env": env})
    for made in world.plan().apply:
        if made["kind"] == "Deployment":
            assert all(map(_may_read, _readers(made["spec"]["template"]["spec"])))


@given(
    st.recursive(
        NAMES,
        lambda inner: st.dictionaries(
            st.sampled_from(["secret", "name", "secretName", "key", "configMap"]), inner, max_size=3
        ),
        max_leaves=6,
    )
)
def test_a_place_that_is_told_is_one_that_names_it(given_words: Any) -> None:
    found = named_secret(given_words, frozenset({OWN}))
    if found is None:
        return
    here = given_words
    for part in found[0].split("."):
        here = here[part]
    assert here == OWN == found[1]
