"""Whatever shape a user's pod template has: a plan comes of it, and no error of the operator's."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.serving.world import World
from tests.unit.training.simulation import Cluster, spec

FIELDS = st.sampled_from(
    [
        *("projected", "sources", "serviceAccountToken", "secret", "configMap", "name", "add"),
        *("env", "envFrom", "valueFrom", "secretKeyRef", "securityContext", "capabilities"),
        *("seccompProfile", "type", "windowsOptions", "hostProcess", "seLinuxOptions", "ports"),
        *("hostPort", "lifecycle", "postStart", "httpGet", "host", "resources", "limits", "cpu"),
        *("labelSelector", "matchLabels", "topologyKey", "maxSkew", "appArmorProfile", "sysctls"),
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "a"]))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=8,
)
NAMED = st.builds(
    lambda name, rest: {**rest, "name": name},
    st.sampled_from(["x", "y"]),
    st.dictionaries(FIELDS, ANYTHING, max_size=3),
)
"""What the CRD lets through of a container or a volume: it has a name, and anything beside it."""
OPEN = (
    *("topologySpreadConstraints", "securityContext", "tolerations", "affinity", "dnsConfig"),
    *("imagePullSecrets", "schedulingGates", "hostAliases", "nodeSelector", "resourceClaims"),
    *("terminationGracePeriodSeconds", "automountServiceAccountToken", "hostNetwork", "os"),
)
OVERLAY = st.fixed_dictionaries(
    {},
    optional={
        "containers": st.lists(NAMED, max_size=2),
        "initContainers": st.lists(NAMED, max_size=2),
        "volumes": st.lists(NAMED, max_size=2),
        **{name: ANYTHING | st.lists(NAMED, max_size=2) for name in OPEN},
    },
)


@settings(max_examples=200)
@given(OVERLAY)
def test_a_training_job_is_planned_for(overlay: dict[str, Any]) -> None:
    made = Cluster(spec(podTemplate={"spec": overlay}, checkpoint={})).plan()
    assert made.apply or made.status


@settings(max_examples=200)
@given(OVERLAY)
def test_a_model_deployment_is_planned_for(overlay: dict[str, Any]) -> None:
    made = World(podTemplate={"spec": overlay}).plan()
    assert made.apply or made.status
