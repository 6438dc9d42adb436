"""Whatever a job and its neighbours say: what goes is its own, and nobody needs it."""

import posixpath
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from slipway.api import TrainingJob
from slipway.plan import Reference, StoredFolder, Target
from slipway.settings import Settings, StoreSettings
from slipway.store import package_folder
from slipway.training.stored.references import reference_of
from slipway.training.stored.retention import Retained, retain
from slipway.uris import ObjectUri

END = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = "s3://ns-team-a-0123456789abcdef"
OWN = ("team-a", "net", "u1")
PARTS = st.sampled_from(
    [*OWN, "team-b", "models", "outputs", "checkpoints", "..", ".", "", "2", "12", "net-1.0.mar"]
)
URIS = st.builds(
    lambda bucket, parts: "/".join([bucket, *parts]),
    st.sampled_from([PLACE, "s3://slipway", "s3://ns-team-b-0123456789abcdef"]),
    st.lists(PARTS, max_size=6),
)
SECONDS = st.sampled_from([None, 0, 3600, 10**7])


def own_uri(number: int) -> str:
    folder = "" if number == 1 else f"/{number}"
    return f"{PLACE}/models/{'/'.join(OWN)}{folder}/net-1.{number}.mar"


def digest(number: int) -> str:
    return f"{number:064x}"


@st.composite
def jobs(draw: st.DrawFn) -> TrainingJob:
    """Return an ended job with a status that says anything at all."""
    numbers = sorted(draw(st.sets(st.integers(1, 12), max_size=8)), reverse=True)
    earlier = [
        {
            "number": number,
            "uri": draw(st.one_of(st.just(own_uri(number)), URIS)),
            "sha256": digest(number),
            "removing": draw(st.booleans()),
        }
        for number in numbers
    ]
    retention: dict[str, Any] = {
        "outputSecondsAfterFinished": draw(SECONDS),
        "checkpointsSecondsAfterFinished": draw(SECONDS),
    }
    versions = draw(st.one_of(st.none(), st.integers(1, 20)))
    package = {"serializedFile": "m", "handler": "h.py", "retention": {"versions": versions}}
    ended = {
        "type": "Succeeded",
        "status": "True",
        "reason": "Completed",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "conditions": [ended],
        "output": draw(st.one_of(st.none(), st.builds(lambda uri: {"uri": uri}, URIS))),
        "earlierPackages": earlier,
    }
    checkpoint = draw(st.sampled_from([None, {}, {"uri": f"{PLACE}/checkpoints/team-b"}]))
    return TrainingJob.model_validate(
        {
            "metadata": dict(zip(("namespace", "name", "uid"), OWN, strict=True)),
            "spec": {
                "source": {"configMap": {"name": "code"}},
                "entrypoint": "train.py",
                "checkpoint": checkpoint,
                "retention": retention,
                "package": package,
            },
            "status": status,
        }
    )


REFERENCES = st.lists(
    st.builds(
        lambda uris, numbers: Reference(
            "ModelDeployment x", frozenset(uris), frozenset(map(digest, numbers))
        ),
        st.lists(st.one_of(URIS, st.integers(1, 12).map(own_uri)), max_size=3),
        st.lists(st.integers(1, 12), max_size=2),
    ),
    max_size=3,
)
SETTINGS = st.builds(
    lambda output, checkpoints, versions: Settings(
        store=StoreSettings(
            retention_output_seconds=output,
            retention_checkpoints_seconds=checkpoints,
            retention_package_versions=versions,
        ).at(PLACE)
    ),
    SECONDS,
    SECONDS,
    st.one_of(st.none(), st.integers(1, 20)),
)


def decided(job: TrainingJob, references: list[Reference], settings: Settings) -> Retained:
    return retain(job, job.status, references, None, settings, END + timedelta(days=1))


@given(jobs(), REFERENCES, SETTINGS)
def test_nothing_that_is_named_begins_to_go_and_the_newest_archives_stay(
    job: TrainingJob, references: list[Reference], settings: Settings
) -> None:
    before = {one.number: one for one in job.status.earlier_packages}
    found = decided(job, references, settings).status
    package = job.spec.package
    given_versions = package.retention.versions if package else None
    versions = given_versions or settings.store.retention_package_versions
    for rank, one in enumerate(found.earlier_packages, start=2):
        if not one.removing or before[one.number].removing:
            continue
        assert versions is not None
        assert rank > versions
        for reference in references:
            assert one.sha256 not in reference.digests
            assert one.uri not in reference.uris
            folder = package_folder(settings.store, job, one.number)
            assert not reference.names(Target("", folder))


@given(jobs(), REFERENCES, SETTINGS)
def test_what_goes_lies_in_the_jobs_own_folders_whatever_its_status_says(
    job: TrainingJob, references: list[Reference], settings: Settings
) -> None:
    told = decided(job, references, settings).status
    later = job.model_copy(update={"status": told})
    removal = retain(later, told, None, None, settings, END + timedelta(days=2)).removal
    for target in removal.targets if removal else ():
        assert target.folder.place.bucket == PLACE.removeprefix("s3://")
        assert target.folder.place.parts[0] in ("outputs", "checkpoints", "models")
        assert target.folder.place.parts[1:4] == OWN


@given(jobs(), REFERENCES, SETTINGS)
def test_a_decision_that_is_repeated_adds_nothing(
    job: TrainingJob, references: list[Reference], settings: Settings
) -> None:
    once = decided(job, references, settings).status
    again = decided(job.model_copy(update={"status": once}), references, settings).status
    assert again.earlier_packages == once.earlier_packages
    assert again.retention == once.retention


@given(st.lists(PARTS, max_size=9).map("/".join), st.booleans())
def test_no_key_that_a_store_lists_leads_out_of_the_folder(key: str, flat: bool) -> None:
    folder = StoredFolder(ObjectUri.parse(f"{PLACE}/models/team-a/net/u1"), "lineage.json", flat)
    if folder.holds(key):
        path = posixpath.normpath(key)
        assert path == key.removesuffix("/")
        assert f"{path}/".startswith("models/team-a/net/u1/")
        assert not flat or path.count("/") <= 4


TEXTS = st.recursive(
    st.text(max_size=8),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(TEXTS, st.integers(1, 12), st.sampled_from(["{}", '{{"model": {{"uri": "{}"}}}}', "({})"]))
def test_an_archive_is_named_wherever_in_an_object_it_stands(
    rest: Any, number: int, around: str
) -> None:
    text = around.format(own_uri(number))
    obj = {"metadata": {"name": "web"}, "status": [rest, {"deep": [{"er": text}]}]}
    folder = StoredFolder(
        ObjectUri.parse(own_uri(number).rpartition("/")[0]), "lineage.json", flat=True
    )
    assert reference_of(obj).names(Target("", folder))
