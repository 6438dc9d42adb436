"""The canaries that people copy from README, docs and examples judge a model, not its clients."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def manifests() -> Iterator[tuple[str, Any]]:
    """Yield all YAML that a user may copy, with the name of its file."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for block in BLOCK.findall(page.read_text()):
            for each in yaml.safe_load_all(textwrap.dedent(block)):
                yield page.name, each
    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        for each in yaml.safe_load_all(path.read_text()):
            yield path.name, each


def metrics(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the metrics in a manifest that measure the share of good answers beside stable's.

    After its promotion a revision answers all requests: there is nothing to compare with.
    """
    if isinstance(value, dict):
        if "successRate" in value:
            yield value
        for name, each in value.items():
            if name != "postPromotionAnalysis":
                yield from metrics(each)
    elif isinstance(value, list):
        for each in value:
            yield from metrics(each)


def test_the_share_of_good_answers_is_compared_with_the_stable_revisions() -> None:
    found = [(name, metric) for name, each in manifests() for metric in metrics(each)]
    assert {"README.md", "canary.yaml", "analysis.md"} <= {name for name, _ in found}
    assert [name for name, metric in found if "maxRatioToStable" not in metric] == []
