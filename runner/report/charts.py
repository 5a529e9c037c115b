"""The charts of the report, empty: page.js fills them with the runs that stand in the filtered table.

Drawn by Bokeh, whose JavaScript is taken from its installed package and put into the page.
"""

from typing import Any

from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import BasicTickFormatter, ColumnDataSource, FactorRange, FixedTicker, HoverTool, Range1d
from bokeh.palettes import Cividis256
from bokeh.plotting import figure
from bokeh.resources import Resources

from runner.report.phasemap import BASE_RATE, LEARNS, NONE, NONFINITE, RISES, SHORT

TOOLS = "pan,box_zoom,wheel_zoom,reset,save"
INK, FAILED, MARKED = "#1a1a1a", "#D55E00", "#009E73"
# Of a run: Okabe and Ito's colours, which the colour-blind tell apart, and the ink that is read on them.
OUTCOMES = {
    LEARNS: ("#0072B2", "#ffffff"),
    SHORT: ("#56B4E9", INK),
    BASE_RATE: ("#F0E442", INK),
    RISES: ("#E69F00", INK),
    NONFINITE: ("#D55E00", "#ffffff"),
    NONE: ("#dddddd", INK),
}
# From dark, the best, to pale, the worst; the palest yellow does not stand out from white.
PALETTE = [Cividis256[round(i * 225 / 31)] for i in range(32)]


def library() -> str:
    """Bokeh's JavaScript: what a page needs to show the charts."""
    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def items() -> dict[str, Any]:
    """Each chart as Bokeh's JSON, by the id of the element that it goes into."""
    return {name: json_item(make()) for name, make in (("curves", curves), ("heat", heat), ("boxes", boxes))}


def curves() -> Any:
    """A line a run, on a logarithmic and a linear axis, one of which is shown at a time."""
    columns = ("xs", "ys", "name", "status", "last", "colour", "dash", "width", "alpha")
    source = ColumnDataSource({name: [] for name in columns}, name="curves-source")
    x_range, both = Range1d(start=0, end=1), []
    for scale in ("log", "linear"):
        page = _figure(f"curves-{scale}", 420, x_range=x_range, y_range=Range1d(start=0.1, end=1), y_axis_type=scale)
        page.xaxis.axis_label = "iterations"
        if scale == "log":  # Bokeh's own says little below 1: page.js sets the ticks
            page.yaxis.ticker = FixedTicker(ticks=[])
            page.yaxis.formatter = BasicTickFormatter(power_limit_low=-4)
        lines = page.multi_line(
            "xs",
            "ys",
            source=source,
            line_color="colour",
            line_dash="dash",
            line_width="width",
            line_alpha="alpha",
            hover_line_color=INK,
            hover_line_alpha=1,
            hover_line_width=3,
        )
        tips = [("run", "@name"), ("status", "@status"), ("iteration", "$snap_x{0,0}")]
        tips += [("value", "$snap_y{%.4g}"), ("last", "@last")]
        formats: Any = {"$snap_y": "printf"}
        page.add_tools(HoverTool(renderers=[lines], tooltips=tips, formatters=formats, line_policy="nearest"))
        page.visible = scale == "log"
        both.append(page)
    return column(*both, sizing_mode="stretch_width")


def heat() -> Any:
    """A cell for each pair of values of two keys: the median of the runs in it, or how most of them ended."""
    columns = ("x", "y", "text", "colour", "ink", "runs", "median", "quartiles", "failed", "outcomes")
    source = ColumnDataSource({name: [] for name in columns}, name="heat-source")
    page = _figure("heat-figure", 420, x_range=FactorRange(), y_range=FactorRange())
    page.grid.visible = False
    cells = page.rect("x", "y", 1, 1, source=source, fill_color="colour", line_color="white", line_width=2)
    page.text(
        "x", "y", "text", source=source, text_color="ink", text_align="center", text_baseline="middle",
        text_font_size="12px",
    )  # fmt: skip
    page.xaxis.major_label_orientation = 0.6
    tips = [("runs", "@runs"), ("median", "@median"), ("quartiles", "@quartiles"), ("diverged or failed", "@failed")]
    tips.append(("how they ended", "@outcomes"))
    page.add_tools(HoverTool(renderers=[cells], tooltips=tips))
    return page


def boxes() -> Any:
    """A box for each group of runs: quartiles, median, the least and the greatest, and every run as a point."""
    names = ("y", "low", "middle", "high", "least", "greatest", "runs", "failed")
    source = ColumnDataSource({name: [] for name in names}, name="boxes-source")
    points = ColumnDataSource({name: [] for name in ("x", "y", "name")}, name="points-source")
    page = _figure("boxes-figure", 420, x_range=Range1d(start=0, end=1), y_range=FactorRange())
    page.ygrid.visible = False
    page.segment("least", "y", "greatest", "y", source=source, line_color=INK)
    box = page.hbar(
        "y", left="low", right="high", height=0.6, source=source, fill_color="#56B4E9", fill_alpha=0.55, line_color=INK
    )
    page.scatter("middle", "y", source=source, marker="dash", angle=1.5708, size=16, line_width=3, line_color=INK)
    dots = page.scatter("x", "y", source=points, size=5, fill_color=INK, fill_alpha=0.5, line_color=None)
    tips = [("median", "@middle{%.4g}"), ("quartiles", "@low{%.4g} .. @high{%.4g}"), ("runs", "@runs")]
    tips.append(("diverged or failed", "@failed"))
    formats: Any = {"@middle": "printf", "@low": "printf", "@high": "printf"}
    page.add_tools(HoverTool(renderers=[box], tooltips=tips, formatters=formats))
    tips, formats = [("run", "@name"), ("value", "@x{%.4g}")], {"@x": "printf"}
    page.add_tools(HoverTool(renderers=[dots], tooltips=tips, formatters=formats))
    return page


def _figure(name: str, height: int, **ranges: Any) -> Any:
    page = figure(name=name, height=height, tools=TOOLS, sizing_mode="stretch_width", **ranges)
    page.xaxis[0].name, page.yaxis[0].name = f"{name}-x", f"{name}-y"
    page.toolbar.logo = None
    page.outline_line_color = None
    return page
