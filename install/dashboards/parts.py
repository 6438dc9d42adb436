"""What all dashboards are put together from: variables, links, and panels of a few sorts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

TAG = "slipway"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, RED = "green", "yellow", "red"
Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on which colour; None for the least value."""
CALM: Steps = ((None, GREEN),)


@dataclass(frozen=True)
class Query:
    """A PromQL expression, and the legend of its series (empty: their labels)."""

    expr: str
    legend: str = ""


def below(warn: float, bad: float) -> Steps:
    """Return thresholds of what is bad when it is high."""
    return ((None, GREEN), (warn, YELLOW), (bad, RED))


def above(warn: float, good: float) -> Steps:
    """Return thresholds of what is bad when it is low."""
    return ((None, RED), (warn, YELLOW), (good, GREEN))


def board(name: str, title: str, description: str) -> d.Dashboard:
    """Return a dashboard without panels: its identity, its links and the data source's variable."""
    others = (
        d.DashboardLink(title="Slipway")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    source = d.DatasourceVariable("datasource").label("Data source").type("prometheus")
    return (
        d.Dashboard(title)
        .uid(f"slipway-{name}")
        .description(description)
        .tags([TAG])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(others)
        .with_variable(source)
    )


def choice(name: str, label: str, series: str, *, many: bool) -> d.QueryVariable:
    """Return a variable: the values that a label of the same name has in the given series."""
    found = (
        d.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": f"label_values({series}, {name})", "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
    return found.multi(True).include_all(True).all_value(".+") if many else found


def of_one(made: d.Dashboard, name: str, label: str, series: str) -> d.Dashboard:
    """Add the variables that choose one object: its namespace, and the label with its name."""
    made.with_variable(choice("namespace", "Namespace", series, many=False))
    here = f'{series}{{namespace="$namespace"}}'
    return made.with_variable(choice(name, label, here, many=False))


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    steps: Steps = CALM,
    stacked: bool = False,
    least: float | None = 0,
    span: int = 8,
) -> timeseries.Panel:
    """Return a panel of lines over time; thresholds beyond the first are drawn as lines."""
    legend = (
        VizLegendOptions().display_mode(c.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])
    )
    panel = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(c.VisibilityMode.NEVER)
        .legend(legend.placement(c.LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.DESCENDING))
    )
    if stacked:
        panel.stacking(StackingConfig().mode(c.StackingMode.NORMAL))
    if least is not None:
        panel.min(least)
    if len(steps) > 1:
        lines = GraphThresholdsStyleConfig().mode(c.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(lines)
    return _common(panel, title, description, unit, queries, steps, span, 8)


def number(
    title: str, description: str, unit: str, query: Query, *, steps: Steps = CALM, span: int = 4
) -> stat.Panel:
    """Return a panel of one number (or one for each series), coloured by thresholds."""
    named = bool(query.legend)
    panel = (
        stat.Panel()
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(c.BigValueColorMode.VALUE)
        .graph_mode(c.BigValueGraphMode.NONE)
        .text_mode(c.BigValueTextMode.VALUE_AND_NAME if named else c.BigValueTextMode.VALUE)
    )
    return _common(panel, title, description, unit, (query,), steps, span, 4, instant=True)


def word(title: str, description: str, query: Query, *, span: int = 4) -> stat.Panel:
    """Return a panel that shows the name of the series that is there, such as a phase."""
    panel = number(title, description, "none", query, span=span)
    return panel.text_mode(c.BigValueTextMode.NAME)


def listing(
    title: str,
    description: str,
    columns: dict[str, str],
    *queries: Query,
    links: dict[str, str] | None = None,
    unit: str = "none",
    span: int = 12,
) -> table.Panel:
    """Return a table of the series that there are now.

    ``columns`` maps the labels, and ``Value`` or ``Value #A`` and so on, to the columns' titles, in
    their order; all else is hidden. ``links`` maps titles to the addresses that cells lead to.
    """
    hidden = ("Time", "__name__", "job", "instance", "pod", "container", "endpoint")
    organize = {
        "excludeByName": {name: True for name in hidden if name not in columns},
        "indexByName": {name: place for place, name in enumerate(columns)},
        "renameByName": columns,
    }
    panel = table.Panel().with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=organize))
    for column, address in (links or {}).items():
        link = {"title": "Details", "url": address, "targetBlank": False}
        panel.override_by_name(column, [DynamicConfigValue(id_val="links", value=[link])])
    return _common(
        panel, title, description, unit, queries, CALM, span, 8, instant=True, as_table=True
    )


Panel = TypeVar("Panel", timeseries.Panel, stat.Panel, table.Panel)


def _common(
    panel: Panel,
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    steps: Steps,
    span: int,
    height: int,
    *,
    instant: bool = False,
    as_table: bool = False,
) -> Panel:
    colours = [Threshold(value=value, color=colour) for value, colour in steps]
    panel.title(title).description(description).unit(unit).span(span).height(height)
    panel.datasource(SOURCE)
    panel.thresholds(d.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(colours))
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        target = prometheus.Dataquery().expr(query.expr).ref_id(letter).datasource(SOURCE)
        target.legend_format(query.legend or "__auto")
        if instant:
            target.instant()
        else:
            target.range().exemplar("exemplar" in description.lower())
        if as_table:
            target.format(PromQueryFormat.TABLE)
        panel.with_target(target)
    return panel
