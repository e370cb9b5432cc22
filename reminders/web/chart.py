"""The chart of messages by hour, as SVG that the page's own style dresses."""

import functools
import sys
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup

from reminders.store.pages import Hour

# It hooks into every later import, for plugins not used here, in a way that Python gave up.
sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]

WIDTH, HEIGHT = 720, 190
EVERY = 3
REMEMBERED = 32
HEADROOM = 1.1
DRAWN = frozenset({"g", "path", "rect", "text"})


def by_hour(hours: Sequence[Hour], labels: Sequence[str], names: Sequence[str]) -> Markup:
    """Return stacked bars: what went, what is planned, what did not arrive."""
    numbers = tuple((hour.reached, hour.planned, hour.missed) for hour in hours)
    return _drawn(numbers, tuple(labels), tuple(names))


@functools.lru_cache(maxsize=REMEMBERED)
def _drawn(
    numbers: tuple[tuple[int, int, int], ...], labels: tuple[str, ...], names: tuple[str, ...]
) -> Markup:
    """Draw once what every open page asks for anew each few seconds."""
    chart = pygal.StackedBar(
        width=WIDTH,
        height=HEIGHT,
        js=(),
        css=(),
        no_prefix=True,
        show_legend=False,
        margin=6,
        margin_left=14,
        margin_bottom=16,
        x_labels_major_every=EVERY,
        show_minor_x_labels=False,
        spacing=4,
        print_values=False,
        min_scale=2,
        max_scale=4,
        formatter=lambda number: f"{number:.0f}",
        range=(0, max(4, *map(sum, numbers)) * HEADROOM),
    )
    chart.x_labels = list(labels)
    for name, bars in zip(names, zip(*numbers, strict=True), strict=True):
        chart.add(name, list(bars))
    return _dressed(chart.render_tree())


def _dressed(svg: ET.Element) -> Markup:
    """Return the drawing without styles and scripts of its own: the page allows none."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if str(child.tag) not in DRAWN:
                parent.remove(child)
        parent.attrib.pop("style", None)
    svg.attrib.pop("id", None)
    svg.set("class", "chart")
    svg.set("aria-hidden", "true")
    svg.set("focusable", "false")
    return Markup(ET.tostring(svg, encoding="unicode"))  # noqa: S704 - drawn here, of numbers


def clock(at: datetime) -> str:
    """Return an hour as it stands under the chart."""
    return f"{at:%H}"
