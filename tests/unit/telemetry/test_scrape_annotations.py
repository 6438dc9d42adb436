"""Where no PodMonitor finds the pods, their annotations lead to their metrics."""

from slipway.manifests import scrape_annotations
from slipway.settings import Settings


def test_the_annotations_name_port_and_path() -> None:
    assert scrape_annotations(Settings(scrape_annotations=True), 9400) == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9400",
        "prometheus.io/path": "/metrics",
    }


def test_there_are_none_where_pod_monitors_do_it() -> None:
    assert scrape_annotations(Settings(), 9400) == {}
