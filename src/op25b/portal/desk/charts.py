"""Charts, drawn here: a page with them runs no script and fetches nothing.

What draws them takes a second to load and a hundred megabytes, so that it is loaded with the first chart that is asked
for; and one that was drawn a moment ago is not drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Literal

from op25b.answers.speech import Language, Speaker
from op25b.portal.desk import overview
from op25b.portal.desk.context import Context
from op25b.portal.desk.overview import Overview

Name = Literal["refused", "senders", "queue"]
Scheme = Literal["light", "dark"]
Room = Literal["wide", "narrow"]
HOLDS = timedelta(seconds=60)
_INK = {"light": "#1b2429", "dark": "#e6ecef"}
_QUIET = {"light": "#52616a", "dark": "#a9b7bf"}
_LINE = {"light": "#d5dde1", "dark": "#324049"}
_ACCENT = {"light": "#135a76", "dark": "#85c9e6"}
_FONTS = "Noto Sans CJK JP, Noto Sans JP, Hiragino Sans, Yu Gothic UI, sans-serif"
_WIDTHS: dict[Room, int] = {"wide": 560, "narrow": 230}
_HEIGHT = 200


@dataclass
class Charts:
    """Draws and keeps. `word`: the words for what the program names."""

    context: Context
    word: Callable[[str, Speaker], str]
    _lock: Lock = field(default_factory=Lock)
    _drawn: dict[tuple[Name, Language, Scheme, Room], tuple[datetime, bytes]] = field(default_factory=dict)

    def svg(self, name: Name, say: Speaker, scheme: Scheme, room: Room = "wide") -> bytes:
        """An SVG, a minute old at most. Blocks; one is drawn at a time. `room`: on the screen; a phone has little."""
        key, now = (name, say.language, scheme, room), self.context.clock()
        with self._lock:
            if key not in self._drawn or now - self._drawn[key][0] > HOLDS:
                self._drawn[key] = now, self._draw(name, overview.look(self.context), say, scheme, room)
            return self._drawn[key][1]

    def _draw(self, name: Name, found: Overview, say: Speaker, scheme: Scheme, room: Room) -> bytes:
        # imported here: a second, and only for who looks at charts
        import altair
        import vl_convert

        chart = self._hours(found, say, room) if name == "refused" else self._bars(name, found, say)
        drawn = altair.Chart.from_dict(
            {**chart, "width": _WIDTHS[room], "height": _HEIGHT, "background": "transparent", "config": _look(scheme)}
        )
        return vl_convert.vegalite_to_svg(drawn.to_dict(), allowed_base_urls=[]).encode()

    def _hours(self, found: Overview, say: Speaker, room: Room) -> dict[str, Any]:
        # as if it were UTC: the drawing knows no zones
        values = [
            {"x": f"{each.hour.astimezone(say.zone):%Y-%m-%dT%H:00}", "y": each.packets} for each in found.refused
        ]
        last = found.at.astimezone(say.zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)
        domain = [f"{at:%Y-%m-%dT%H:00}" for at in (last - timedelta(hours=overview.HOURS), last + timedelta(hours=1))]
        return {
            "data": {"values": values},
            "mark": {"type": "bar", "width": {"wide": 8, "narrow": 3}[room]},
            "encoding": {
                "x": {
                    "field": "x", "type": "temporal", "title": None, "scale": {"domain": domain},
                    "axis": {"format": "%m-%d %H:%M", "tickCount": {"wide": 6, "narrow": 3}[room], "grid": False},
                },
                "y": {
                    "field": "y", "type": "quantitative", "title": None, "axis": {"format": ",d", "tickCount": 5},
                    "scale": _from_nought(each.packets for each in found.refused),
                },
            },
        }  # fmt: skip

    def _bars(self, name: Name, found: Overview, say: Speaker) -> dict[str, Any]:
        counted = found.cases if name == "senders" else found.queue or {}
        values = [{"x": number, "y": self.word(each, say)} for each, number in counted.items()]
        return {
            "data": {"values": values},
            "mark": {"type": "bar", "height": 22},
            "encoding": {
                "x": {
                    "field": "x", "type": "quantitative", "title": None, "axis": {"format": ",d", "tickCount": 5},
                    "scale": _from_nought(counted.values()),
                },
                "y": {"field": "y", "type": "nominal", "title": None, "sort": None, "axis": {"grid": False}},
            },
        }  # fmt: skip


def _from_nought(numbers: Iterable[int]) -> dict[str, int]:
    """A scale whose five marks or so are whole numbers, however small the numbers are."""
    return {"domainMin": 0, "domainMax": max(5, *numbers, 0)}


def _look(scheme: Scheme) -> dict[str, Any]:
    axis = {
        "labelColor": _QUIET[scheme], "labelFontSize": 13, "domainColor": _LINE[scheme], "gridColor": _LINE[scheme],
        "tickColor": _LINE[scheme], "labelLimit": 200,
    }  # fmt: skip
    return {
        "font": _FONTS, "axis": axis, "view": {"stroke": None}, "bar": {"color": _ACCENT[scheme]},
        "text": {"color": _INK[scheme]},
    }  # fmt: skip
