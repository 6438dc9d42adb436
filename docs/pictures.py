"""Draws a Grafana dashboard as a picture, from a Prometheus' answers: for the documentation.

It knows the panels that the chart's dashboards are made of, and draws them where Grafana would
put them: lines over time, single numbers, tables.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

Ask = Callable[[str], list[dict[str, Any]]]
"""Returns the series of a query: ``metric`` (labels) and ``values`` (pairs of time and text)."""
Panel = dict[str, Any]

COLUMNS, INCHES = 24, 16.0
ROW_INCHES = 0.34
"""Height of one row of Grafana's grid."""
INK, FAINT, PAPER, CARD = "#1f2328", "#6e7781", "#f4f5f7", "#ffffff"
COLOURS = {"green": "#1a7f37", "yellow": "#bf8700", "red": "#cf222e", "blue": "#0969da"}
LINES = ("#0969da", "#1a7f37", "#bf8700", "#cf222e", "#8250df", "#bc4c00", "#0a7ea4", "#57606a")
MOST_LINES = 7
SECONDS = ((31_557_600, "years"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"))
BYTES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
RATES = {"reqps": "/s", "ops": "/s", "wps": "/s"}


class Picture:
    """A drawn dashboard."""

    def __init__(self, figure: Figure) -> None:
        self._figure = figure

    def save(self, path: Path) -> None:
        """Write it as a PNG; equal drawings give equal files."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._figure.savefig(path, dpi=80, metadata={"Software": None})


def draw(dashboard: dict[str, Any], ask: Ask, chosen: dict[str, str]) -> Picture:
    """Draw a dashboard; ``ask`` answers its queries, ``chosen`` are the variables' values."""
    bottom = max(at["y"] + at["h"] for at in (panel["gridPos"] for panel in dashboard["panels"]))
    rows = bottom + 2
    figure = Figure(figsize=(INCHES, rows * ROW_INCHES), facecolor=PAPER)
    words = "   ".join(f"{name}: {value}" for name, value in chosen.items())
    head = 1 - 1.1 / rows
    figure.text(0.01, head, dashboard["title"], fontsize=15, weight="bold", color=INK)
    figure.text(0.3, head, words, fontsize=10, color=FAINT)
    for panel in dashboard["panels"]:
        _place(figure, panel, ask, rows)
    return Picture(figure)


def _place(figure: Figure, panel: Panel, ask: Ask, rows: int) -> None:
    at = panel["gridPos"]
    left, top = at.get("x", 0) / COLUMNS, 1 - (at["y"] + 2) / rows
    if panel["type"] == "row":
        figure.text(left + 0.01, top - 0.7 / rows, panel["title"], fontsize=11, color=FAINT)
        return
    width, height = at["w"] / COLUMNS, at["h"] / rows
    box = (left + 0.004, top - height + 0.1 / rows, width - 0.008, height - 0.2 / rows)
    card = figure.add_axes(box, facecolor=CARD, xticks=[], yticks=[])
    card.spines[:].set_color("#d0d7de")
    card.set_title(f" {panel['title']}", loc="left", y=1.0, pad=-13, fontsize=9, color=INK)
    DRAWERS[panel["type"]](figure, panel, ask, box)


def _series(panel: Panel, ask: Ask) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Yield the name and the points of each series of a panel."""
    for target in panel["targets"]:
        for found in ask(target["expr"]):
            points = [(float(when), float(value)) for when, value in found["values"]]
            yield _legend(target["legendFormat"], found["metric"]), points


def _legend(form: str, labels: dict[str, str]) -> str:
    if form == "__auto":
        return ", ".join(value for name, value in labels.items() if name != "__name__")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form).strip()


def _graph(figure: Figure, panel: Panel, ask: Ask, box: tuple[float, ...]) -> None:
    left, low, width, height = box
    inner = (left + 0.034, low + 0.36 * height, width - 0.042, 0.5 * height)
    axes = figure.add_axes(inner, facecolor=CARD)
    defaults = panel["fieldConfig"]["defaults"]
    found = sorted(_series(panel, ask), key=lambda each: -max(value for _, value in each[1]))
    for (name, points), colour in zip(found[:MOST_LINES], LINES, strict=False):
        times: list[Any] = [datetime.fromtimestamp(when, UTC) for when, _ in points]
        values = [value for _, value in points]
        last = shown(next((v for v in reversed(values) if v == v), 0.0), defaults["unit"])
        axes.plot(times, values, color=colour, linewidth=1.2, label=f"{name[:42]}  {last}")
    _style(axes, panel, more=len(found) - MOST_LINES)


def _style(axes: Axes, panel: Panel, more: int) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if "min" in defaults:
        axes.set_ylim(bottom=defaults["min"])
    top = axes.get_ylim()[1]
    for step in defaults["thresholds"]["steps"][1:]:
        if step["value"] <= top:
            axes.axhline(step["value"], color=COLOURS[step["color"]], linewidth=0.8, linestyle="--")
    dates: Any = ConciseDateFormatter
    axes.xaxis.set_major_formatter(dates(axes.xaxis.get_major_locator(), show_offset=False))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: shown(v, defaults["unit"])))
    axes.tick_params(labelsize=7, colors=FAINT, length=2)
    axes.grid(color="#eaeef2", linewidth=0.8)
    axes.spines[:].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        title = f"and {more} more" if more > 0 else None
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (-0.08, -0.16)}
        look: dict[str, Any] = {"fontsize": 6.5, "frameon": False, "labelcolor": INK, "ncols": 2}
        axes.legend(title=title, title_fontsize=6.5, **place, **look)


def _number(figure: Figure, panel: Panel, ask: Ask, box: tuple[float, ...]) -> None:
    left, low, width, height = box
    defaults = panel["fieldConfig"]["defaults"]
    found = list(_series(panel, ask))
    text, colour = "no data", FAINT
    if found:
        name, points = max(found, key=lambda each: each[1][-1][0])
        value = points[-1][1]
        named = panel["options"]["textMode"] == "name"
        text = name if named else shown(value, defaults["unit"])
        steps = defaults["thresholds"]["steps"]
        reached = [s["color"] for s in steps if s["value"] is None or value >= s["value"]]
        colour = COLOURS[reached[-1]]
    at = (left + width / 2, low + height * 0.4)
    figure.text(*at, text, ha="center", va="center", fontsize=19, color=colour, weight="bold")


def _table(figure: Figure, panel: Panel, ask: Ask, box: tuple[float, ...]) -> None:
    left, low, width, height = box
    options = panel["transformations"][1]["options"]
    places: dict[str, int] = options["indexByName"]
    columns = {
        name: options["renameByName"][name] for name in sorted(places, key=places.__getitem__)
    }
    rows = _rows(panel, ask, columns)
    shares = [(place + 0.15) / len(columns) for place in range(len(columns))]
    for number, line in enumerate([columns, *(rows[key] for key in sorted(rows)[:9])]):
        for share, (name, title) in zip(shares, columns.items(), strict=True):
            words = title if number == 0 else line.get(name, "")
            weight = "bold" if number == 0 else "normal"
            at = (left + width * share, low + height * (0.8 - 0.082 * number))
            figure.text(*at, words[:26], fontsize=7.5, color=INK, weight=weight)


def _rows(panel: Panel, ask: Ask, columns: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the rows of a table: the series that are there at the end, merged by their object."""
    rows: dict[str, dict[str, str]] = {}
    for target in panel["targets"]:
        found = ask(target["expr"])
        last = max((series["values"][-1][0] for series in found), default=0)
        for series in (each for each in found if each["values"][-1][0] == last):
            labels = {name: value for name, value in series["metric"].items() if name in columns}
            of = [labels.get(name, "") for name in ("namespace", "training_job", "deployment")]
            row = rows.setdefault("/".join(of) if any(of[1:]) else str(labels), {})
            value = shown(float(series["values"][-1][1]), "short")
            row.update(labels, **{"Value": value, f"Value #{target['refId']}": value})
    return rows


DRAWERS = {"timeseries": _graph, "stat": _number, "table": _table}


def shown(value: float, unit: str) -> str:
    """Return a number as Grafana would show it, in a unit of Grafana's."""
    if value != value:
        return "none"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "percent":
        return f"{value:.3g} %"
    for name, scale in (("s", SECONDS), ("bytes", BYTES)):
        fitting = next((each for each in scale if abs(value) >= each[0]), scale[-1])
        if unit == name and value:
            return f"{value / fitting[0]:.3g} {fitting[1]}"
    return f"{value:.4g}{RATES.get(unit, '')}"
