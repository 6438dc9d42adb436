"""Whatever a user lays over a training pod: it is added to the pod, or refused with a sentence."""

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.api.fields.own_pieces import TRAINING_POD
from slipway.pods.overlay import KEYS, OverlayError, merge_pod

NAMES = st.sampled_from(["trainer", "agent", "proxy", "source", "input-a", "tmp", "data", ""])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "a", "Never"])
)
FIELDS = st.sampled_from(
    [
        *("name", "image", "env", "command", "args", "securityContext", "volumeMounts", "emptyDir"),
        *("mountPath", "value", "restartPolicy", "$patch", "runAsUser", "tolerations", "key"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=3)
    ),
    max_leaves=8,
)
ITEMS = st.dictionaries(FIELDS, VALUES, max_size=4).flatmap(
    lambda item: NAMES.map(lambda name: {**item, "name": name})
)
PARTS = ["containers", "initContainers", "volumes", "tolerations", "securityContext", "hostAliases"]
OVERLAYS = st.dictionaries(
    st.sampled_from([*PARTS, "restartPolicy", "serviceAccountName", "nodeSelector"]),
    st.one_of(VALUES, st.lists(ITEMS, max_size=3)),
    max_size=4,
)


def base() -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001},
        "initContainers": [{"name": "agent", "env": [{"name": "A", "value": "1"}]}],
        "containers": [
            {
                "name": "trainer",
                "command": ["python3", "launch.py"],
                "args": ["--"],
                "env": [{"name": "A", "value": "1"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "tolerations": [{"key": "gpu"}],
    }


def holds(whole: Any, part: Any, name: str = "") -> bool:
    """Tell whether a part is still in a whole: each field, each named item, each other item."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and holds(whole[key], value, key) for key, value in part.items()
        )
    if isinstance(part, list) and name in KEYS and all(isinstance(one, dict) for one in part):
        key = KEYS[name]
        known = {one.get(key): one for one in whole}
        return all(holds(known.get(one.get(key)), one) for one in part)
    if isinstance(part, list):
        return isinstance(whole, list) and all(one in whole for one in part)
    return bool(whole == part)


def without_choices(pod: dict[str, Any]) -> dict[str, Any]:
    """Return a pod without what a user may choose."""
    choices = ("runAsUser", "runAsNonRoot")
    security = {key: value for key, value in pod["securityContext"].items() if key not in choices}
    return {**pod, "securityContext": security}


@given(OVERLAYS)
def test_an_overlay_takes_nothing_away_or_is_refused(overlay: dict[str, Any]) -> None:
    try:
        merged = merge_pod(base(), overlay, TRAINING_POD)
    except OverlayError:
        return
    assert holds(merged, without_choices(base()))
    assert merged["containers"][0]["command"] == ["python3", "launch.py"]
    assert merged["initContainers"][0] == base()["initContainers"][0]


@given(OVERLAYS)
def test_the_pod_that_an_overlay_is_laid_over_stays_as_it_was(overlay: dict[str, Any]) -> None:
    pod = base()
    with contextlib.suppress(OverlayError):
        merge_pod(pod, overlay, TRAINING_POD)
    assert pod == base()
