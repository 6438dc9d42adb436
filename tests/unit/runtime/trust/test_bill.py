"""The bill of materials, against CycloneDX's own schema."""

import json
import subprocess
import venv
from pathlib import Path

import pytest

from slipway_pods.trust import provenance
from tests.unit.runtime.trust.test_provenance import MADE, RECORD

REQUIREMENT = "cyclonedx-python-lib[json-validation]==11.12.0"
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) or "valid")
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has CycloneDX's library, which nothing else needs."""
    folder = tmp_path_factory.mktemp("cyclonedx")
    venv.create(folder, with_pip=True, symlinks=True)
    found = folder / "bin" / "python"
    subprocess.run([str(found), "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
    return found


def said(python: Path, bill: dict[str, object]) -> str:
    command = [str(python), "-c", VALIDATE]
    text = json.dumps(bill)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.long
def test_a_bill_is_what_the_schema_asks_for(python: Path) -> None:
    gates = [{"metric": "accuracy", "verdict": "Successful", "value": "0.91"}]
    little = {**RECORD, "trainingJob": {"name": "net"}, "requirements": []}
    for record in (RECORD, {**RECORD, "gates": gates}, little):
        made = provenance.Made("net-1.0.mar", "23" * 32, record)
        assert said(python, provenance.bill(made)) == "valid"
    assert said(python, {**provenance.bill(MADE), "serial": 1}) != "valid"
