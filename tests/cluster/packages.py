"""What a job has packaged: its archive in the store, and the form of its model that is in there."""

import io
import json
from zipfile import ZipFile

from tests.cluster.support import Space, condition, phase
from tests.harness import Object
from tests.harness.cluster import Cluster


def succeeded(space: Space, name: str) -> Object:
    """Return a job that has ended well."""
    job = space.wait_for_phase(name, "Succeeded", "Failed")
    assert phase(job) == "Succeeded", (condition(job, "Failed"), space.report())
    return job


def stored(cluster: Cluster, uri: str) -> bytes:
    """Return a file of the store."""
    with cluster.store() as store:
        found: bytes = store.cat_file(uri.removeprefix("s3://"))
    return found


def packaged(package: Object) -> Object:
    """Return the row of the form that is in the archive."""
    (row,) = (row for row in package["optimization"] if row["verdict"] == "Packaged")
    return dict(row)


def model_in(archive: bytes) -> tuple[str, bytes]:
    """Return the name and the bytes of the model in an archive, which has no program of torch's."""
    with ZipFile(io.BytesIO(archive)) as bundle:
        name = json.loads(bundle.read("MAR-INF/MANIFEST.json"))["model"]["serializedFile"]
        assert not [each for each in bundle.namelist() if each.endswith(".pt2")]
        return name, bundle.read(name)
