"""SVG by hand: boxes, lines, and text that stays in its box. No library, no font, nothing that changes from run to run."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

# Widths in em, the widest of the usual sans-serif fonts (DejaVu Sans): text may come out narrower, never wider
_WIDTHS = {
    **dict.fromkeys(".,:;|!'ilj/\\()[] tfIr-", 0.42),
    **dict.fromkeys("0123456789abcdeghknopqsuvxyz_*+=<>~", 0.65),
    **dict.fromkeys("mw%@WMQO", 1.0),
}
_CAPITAL, _OTHER = 0.79, 1.05
_BOLD, _HOW_MUCH_WIDER = {"strong", "tag", "ink"}, 1.13
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

# Okabe and Ito: told apart by every kind of colour blindness, and on light and on dark; their yellow is not
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
UNTAGGED = "#8A8F98"

# No variables: many viewers of SVG know none. What is said twice is for the dark.
_STYLE = """
text { font-family: Inter, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; fill: #1b1f24 }
.ground { fill: #ffffff } .card { fill: #eef1f5; stroke: #c3cad3 } .box { fill: #ffffff; stroke: #aab3be }
.free { fill: none; stroke: #aab3be; stroke-dasharray: 5 4 } .lane { fill: none; stroke: #c3cad3; stroke-width: 1.5 }
.wire { fill: none; stroke-width: 3 } .soft { fill: #57606a } .strong { font-weight: 600 } .ok { fill: #1a7f37 }
.bad { fill: #b35900 } .tag { fill: #ffffff; font-weight: 600 } .ink { fill: #10131a; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ground { fill: #0d1117 } .card { fill: #161b22; stroke: #3d444d }
  .box { fill: #0d1117; stroke: #59636e } .free { stroke: #59636e } .lane { stroke: #3d444d } .soft { fill: #9198a1 }
  .ok { fill: #3fb950 } .bad { fill: #e3a13c } .tag { fill: #ffffff } .ink { fill: #10131a }
}
""".strip()


def width_of(text: str, size: float, kind: str = "") -> float:
    wider = _HOW_MUCH_WIDER if kind in _BOLD else 1.0
    return wider * size * sum(_WIDTHS.get(c, _CAPITAL if c.isascii() else _OTHER) for c in text)


def fitted(text: str, size: float, room: float, kind: str = "") -> str:
    """All of it, or as much as there is room for and an ellipsis."""
    if width_of(text, size, kind) <= room:
        return text
    while text and width_of(text + _ELLIPSIS, size, kind) > room:
        text = text[:-1]
    return text.rstrip() + _ELLIPSIS


def folded(text: str, size: float, room: float, lines: int, kind: str = "") -> list[str]:
    """At blanks, into at most so many lines; the last one may be cut."""
    words, found = text.split(), [""]
    for word in words:
        longer = f"{found[-1]} {word}".strip()
        if width_of(longer, size, kind) <= room or len(found) == lines or not found[-1]:
            found[-1] = longer
        else:
            found.append(word)
    return [fitted(line, size, room, kind) for line in found]


class Drawing:
    """Numbers are pixels. What is drawn later lies above."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def box(
        self, x: float, y: float, width: float, height: float, kind: str, radius: int = 8, fill: str = ""
    ) -> None:
        look = f' style="fill:{fill}"' if fill else ""
        self._parts.append(
            f'<rect class="{kind}" x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
            f' rx="{radius}"{look}/>'
        )

    def dot(self, x: float, y: float, kind: str) -> None:
        self._parts.append(f'<circle class="{kind}" cx="{_number(x)}" cy="{_number(y)}" r="5"/>')

    def text(
        self,
        x: float,
        y: float,
        text: str,
        room: float,
        size: int = 14,
        kind: str = "",
        anchor: str = "",
    ) -> None:
        """What is cut is whole in its <title>, which a browser shows under the pointer. `anchor`: middle, end."""
        clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
        shown = fitted(clean, size, room, kind)
        title = f"<title>{escape(clean)}</title>" if shown != clean else ""
        look = f" class={quoteattr(kind)}" if kind else ""
        anchored = f' text-anchor="{anchor}"' if anchor else ""
        self._parts.append(
            f'<text x="{_number(x)}" y="{_number(y)}" font-size="{size}"{look}{anchored}>{title}{escape(shown)}</text>'
        )

    def curve(
        self, x: float, y: float, to_x: float, to_y: float, kind: str, colour: str = "", dashes: str = ""
    ) -> None:
        """From left to right, level at both ends."""
        middle = (x + to_x) / 2
        look = f' stroke="{colour}"' if colour else ""
        look += f' stroke-dasharray="{dashes}"' if dashes else ""
        points = (
            f"M{_number(x)} {_number(y)}C{_number(middle)} {_number(y)} {_number(middle)} {_number(to_y)}"
        )
        self._parts.append(f'<path class="{kind}" d="{points} {_number(to_x)} {_number(to_y)}"{look}/>')

    def render(self, width: int, height: int, title: str) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
            f' role="img" aria-label={quoteattr(title)}>\n<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n'
        )
        return head + "\n".join(self._parts) + "\n</svg>\n"


def _number(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
