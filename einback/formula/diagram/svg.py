"""Scenes as SVG: a text of its own that scales, says what it shows, and knows day from night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from html import escape

from einback.formula.diagram.colours import DAY, NIGHT, TENSORS
from einback.formula.diagram.network import Kind
from einback.formula.diagram.scene import Box, Line, Point, Scene, Text

__all__ = ["svg"]

_MARGIN = 12.0
_ROUND = {Kind.INPUT: 0.5, Kind.SLOT: 0.5, Kind.SUM: 0.5, Kind.ONES: 0.5, Kind.DOT: 0.5, Kind.DELTA: 0.5}
_FONT = {"index": 12, "axis": 9, "words": 16, "left": 16}
_DOTS = (Kind.DOT, Kind.DELTA)


def svg(scene: Scene, tensors: Mapping[str, int], title: str, description: str) -> str:
    """The scene as an SVG document."""
    wide, high = scene.width + 2 * _MARGIN, scene.height + 2 * _MARGIN
    frames = scene.frames()
    shapes = [
        *(_box(box, tensors) for box in frames),
        *(_line(line) for line in scene.lines),
        *(_box(box, tensors) for box in scene.boxes if box.kind is not Kind.FRAME),
        *(_title(box) for box in frames if box.text),
        *(_text(text) for text in scene.texts),
    ]
    body = "\n".join(shapes)
    used = sorted({tensors[box.tensor] % len(TENSORS) for box in scene.boxes if box.tensor in tensors})
    name = "eb" + blake2b((title + description + body).encode(), digest_size=6).hexdigest()
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" class="einback-diagram" id="{name}" width="{_n(wide)}" height="{_n(high)}" \
viewBox="{_n(-_MARGIN)} {_n(-_MARGIN)} {_n(wide)} {_n(high)}" role="img" aria-labelledby="{name}-t {name}-d" \
font-family="'DejaVu Sans', Verdana, sans-serif">
<title id="{name}-t">{escape(title, quote=False)}</title>
<desc id="{name}-d">{escape(description, quote=False)}</desc>
<style>{_style(name, used)}</style>
{body}
</svg>
"""


def _style(name: str, used: Iterable[int]) -> str:
    """What changes at night; by day the attributes of the shapes hold."""
    night = [
        f"#{name} .ink{{fill:{NIGHT['ink']}}}",
        f"#{name} .quiet{{fill:{NIGHT['quiet']}}}",
        f"#{name} .leg{{stroke:{NIGHT['leg']}}}",
        f"#{name} .tip{{fill:{NIGHT['leg']}}}",
        f"#{name} .frame{{fill:{NIGHT['frame']};stroke:{NIGHT['rim']}}}",
        f"#{name} .small{{fill:{NIGHT['paper']};stroke:{NIGHT['rim']}}}",
    ]
    for k in used:
        fill, rim = TENSORS[k][1]
        night.append(f"#{name} .t{k}{{fill:{fill};stroke:{rim}}}#{name} .s{k}{{stroke:{rim}}}")
    fits = f"@media screen{{#{name}{{max-width:100%;height:auto}}}}\n"
    return fits + "@media (prefers-color-scheme:dark){" + "".join(night) + "}"


def _n(value: float) -> str:
    """A length, to a tenth of a pixel."""
    text = f"{value:.1f}"
    return "0" if text in ("-0.0", "0.0") else text.removesuffix(".0")


def _at(point: Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _line(line: Line) -> str:
    path = f"M{_at(line.start)}" + "".join(
        ("C" if len(step) > 1 else "L") + " ".join(_at(point) for point in step) for step in line.steps
    )
    drawn = f'<path class="leg" d="{path}" fill="none" stroke="{DAY["leg"]}" stroke-width="1.5"/>'
    return drawn + _tip(line) if line.arrow else drawn


def _tip(line: Line) -> str:
    """The head of an arrow at the end of a leg."""
    points = [line.start, *(point for step in line.steps for point in step)]
    (x, y) = points[-1]
    (bx, by) = next((point for point in reversed(points) if abs(point[0] - x) + abs(point[1] - y) > 0.5), line.start)
    length = ((x - bx) ** 2 + (y - by) ** 2) ** 0.5 or 1.0
    ux, uy = (x - bx) / length, (y - by) / length
    corners = [(x, y), (x - 8 * ux - 3.5 * uy, y - 8 * uy + 3.5 * ux), (x - 8 * ux + 3.5 * uy, y - 8 * uy - 3.5 * ux)]
    return f'<path class="tip" d="M{"L".join(_at(corner) for corner in corners)}Z" fill="{DAY["leg"]}"/>'


def _box(box: Box, tensors: Mapping[str, int]) -> str:
    if box.kind in _DOTS:
        x, y = box.x + box.width / 2, box.y + box.height / 2
        return f'<circle class="ink" cx="{_n(x)}" cy="{_n(y)}" r="{_n(box.width / 2)}" fill="{DAY["ink"]}"/>'
    paint = _paint(box, tensors)
    radius = box.height / 2 if box.kind in _ROUND else 8 if box.kind is Kind.FRAME else 4
    shape = (
        f'<rect {paint} x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" '
        f'rx="{_n(min(radius, 19))}"/>'
    )
    if box.kind is Kind.FRAME:
        return shape
    small = box.kind in (Kind.SUM, Kind.ONES, Kind.PLACE, Kind.RANGE, Kind.BOUND)
    size = 12 if small else 15
    upright = ' font-style="italic"' if not small else ""
    x, y = box.x + box.width / 2, box.y + box.height / 2 + 0.35 * size
    return shape + (
        f'<text class="ink" x="{_n(x)}" y="{_n(y)}" font-size="{size}"{upright} text-anchor="middle" '
        f'fill="{DAY["ink"]}">{escape(box.text, quote=False)}</text>'
    )


def _paint(box: Box, tensors: Mapping[str, int]) -> str:
    k = tensors.get(box.tensor, 0) % len(TENSORS)
    (fill, rim), _ = TENSORS[k]
    match box.kind:
        case Kind.FRAME:
            return f'class="frame" fill="{DAY["frame"]}" stroke="{DAY["rim"]}"'
        case Kind.SLOT:
            return f'class="s{k}" fill="none" stroke="{rim}" stroke-width="1.5" stroke-dasharray="5 4"'
        case Kind.INPUT | Kind.NAMED | Kind.MATRIX:
            return f'class="t{k}" fill="{fill}" stroke="{rim}" stroke-width="1.5"'
        case _:
            return f'class="small" fill="{DAY["paper"]}" stroke="{DAY["rim"]}"'


def _title(box: Box) -> str:
    return (
        f'<text class="ink" x="{_n(box.x + 10)}" y="{_n(box.y + 17)}" font-size="13" fill="{DAY["ink"]}">'
        f"{escape(box.text, quote=False)}</text>"
    )


def _text(text: Text) -> str:
    role = "quiet" if text.role in ("index", "axis") else "ink"
    slant = ' font-style="italic"' if text.role in ("index", "left") else ""
    anchor = f' text-anchor="{text.anchor}"' if text.anchor != "start" else ""
    return (
        f'<text class="{role}" x="{_n(text.x)}" y="{_n(text.y + 0.35 * text.size)}" font-size="{_n(text.size)}"'
        f'{slant}{anchor} fill="{DAY[role]}">{escape(text.text, quote=False)}</text>'
    )
