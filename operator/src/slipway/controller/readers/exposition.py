"""Reading a few metrics out of a page in Prometheus' text format, whatever else is in it.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

import re
from collections.abc import Iterable
from itertools import islice

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

_LINE_CHARACTERS = 1024
"""A longer line is passed over."""


def families(page: str, names: Iterable[str], most_lines: int) -> list[Metric]:
    """Return the families of the samples with these names, of at most so many of their lines.

    Other lines cost a search each and are not parsed. A name matches a sample or a family whole.
    Raises ValueError where a line that is read has another format.
    """
    either = "|".join(sorted(map(re.escape, names)))
    lines = re.compile(
        rf"^(?:# TYPE )?(?:{either})(?:[ \t{{][^\n]{{0,{_LINE_CHARACTERS}}})?$", re.MULTILINE
    )
    chosen = (found.group() for found in islice(lines.finditer(page), most_lines))
    return list(text_string_to_metric_families("\n".join(chosen) + "\n"))
