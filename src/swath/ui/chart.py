"""The chart of an execution's pace: requests, rows, refusals and errors a second, over its time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nicegui import ui

from swath.ui.frame import show
from swath.ui.markup import number, tag

#: Name, key, colour that is read on light and on dark, and which axis.
LINES = (
    ("Requests", "requests", "#5b78e0", 0),
    ("Rows", "rows", "#2f9e62", 1),
    ("429s", "refused", "#c98a1b", 0),
    ("Errors", "errors", "#d9544a", 0),
)
_GREY = "#80868f"


class PaceChart:
    """The chart, and the same said in words for whoever does not see it."""

    def __init__(self) -> None:
        show(tag("h2", "Pace"))
        self._missing = show(tag("p", "Nothing was sent.", class_="quiet"))
        self._chart = ui.echart(_options()).classes("pace").props('role="img"')
        self._chart.set_visibility(False)

    def draw(self, told: Mapping[str, Any]) -> None:
        """Show what is known now."""
        points = told["points"]
        self._missing.set_visibility(not points)
        self._chart.set_visibility(bool(points))
        if not points:
            return
        moments, series = _spread(told)
        options = self._chart.options
        if options["xAxis"]["data"] == moments and options["series"][0]["data"] == series["requests"]:
            return
        options["xAxis"]["data"] = moments
        has_rows = any(series["rows"])
        options["legend"]["data"] = [name for name, key, _, _ in LINES if key != "rows" or has_rows]
        options["yAxis"][1]["show"] = has_rows
        for line, (_, key, _, _) in zip(options["series"], LINES, strict=True):
            # Rows of answers that nobody looks into are not counted while they come: then there is no line.
            line["showSymbol"] = len(moments) == 1  # one point is no line
            line["data"] = series[key] if key != "rows" or has_rows else []
        self._chart.props(f'aria-label="{_describe(points, told["seconds"])}"')


def _spread(told: Mapping[str, Any]) -> tuple[list[str], dict[str, list[float]]]:
    """Return the spans' beginnings, those without anything too, and each line's figures a second."""
    width, points = told["seconds"], {_second(point): point for point in told["points"]}
    seconds = range(min(points), max(points) + 1, width)
    nothing = dict.fromkeys(("requests", "rows", "refused", "errors"), 0)
    found = [points.get(second, nothing) for second in seconds]
    series = {key: [round(point[key] / width, 2) for point in found] for _, key, _, _ in LINES}
    return [f"{second * 1000}" for second in seconds], series


def _second(point: Mapping[str, Any]) -> int:
    return int(datetime.fromisoformat(point["at"]).timestamp())


def _describe(points: list[dict[str, Any]], width: int) -> str:
    fastest = max(point["requests"] for point in points) / width
    total = {key: number(sum(point[key] for point in points)) for _, key, _, _ in LINES}
    return (
        f"Pace: at most {fastest:.0f} requests a second; in all {total['requests']} requests, "
        f"{total['rows']} rows, "
        f"{total['refused']} answers 429, {total['errors']} errors"
    )


def _options() -> dict[str, Any]:
    axis = {
        "type": "value",
        "minInterval": 1,
        "axisLabel": {"color": _GREY},
        "splitLine": {"lineStyle": {"color": "#80868f33"}},
    }
    parts = "{hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false}"
    when = f"value => new Date(+value).toLocaleTimeString([], {parts})"
    return {
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 62, "bottom": 24, "containLabel": True},
        "legend": {
            "textStyle": {"color": _GREY},
            "left": 0,
            "top": 0,
            "icon": "roundRect",
            "itemHeight": 3,
            "itemWidth": 16,
        },
        "tooltip": {"trigger": "axis", ":axisPointer": "({label: {show: false}})"},
        "xAxis": {
            "type": "category",
            "boundaryGap": False,
            "data": [],
            # The zone of whoever looks: times elsewhere are told in UTC.
            ":name": "'Time in ' + Intl.DateTimeFormat().resolvedOptions().timeZone.replace('_', ' ')",
            "nameLocation": "middle",
            "nameGap": 26,
            "nameTextStyle": {"color": _GREY},
            "axisLabel": {
                "color": _GREY,
                ":formatter": when,
                "hideOverlap": True,
                "alignMinLabel": "left",
                "alignMaxLabel": "right",
            },
            "axisLine": {"lineStyle": {"color": _GREY}},
        },
        "yAxis": [
            {**axis, "name": "requests/s", "nameTextStyle": {"color": _GREY, "align": "left"}},
            {
                **axis,
                "name": "rows/s",
                "nameTextStyle": {"color": _GREY, "align": "right"},
                "splitLine": {"show": False},
            },
        ],
        "series": [
            {
                "name": name,
                "type": "line",
                "yAxisIndex": which,
                "data": [],
                "showSymbol": False,
                "lineStyle": {"width": 2},
                "color": colour,
            }
            for name, _, colour, which in LINES
        ],
    }
