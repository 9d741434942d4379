"""HTML of parts that cannot be confused with text: what is not markup is escaped, always."""

import base64
import html
import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from training.console.number_format import figure

# They have no content, and no end.
_VOID = frozenset({"br", "img"})
# The page asks nothing of any network, and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Markup(str):
    """HTML, made by ``tag``. A text becomes part of it by escaping alone."""

    __slots__ = ()


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element; children that are not ``Markup`` are text, and ``None`` is nothing.

    A trailing underscore of an attribute's name goes (``class_``).
    """
    written = "".join(
        f' {key.rstrip("_")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    inside = "".join(_written(child) for child in children if child is not None)
    return Markup(f"<{name}{written}>{inside}</{name}>")


def svg(content: str, alternative: str) -> Markup:
    """Return a drawing, as an image: so its styles and names stay its own."""
    source = _inline("image/svg+xml", content.encode())
    return tag("div", tag("img", src=source, alt=alternative, class_="plot"), class_="wide")


def picture(pixels: npt.NDArray[np.uint8], alternative: str) -> Markup:
    """Return a picture, uint8 [height, width] or [height, width, 3], as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    source = _inline("image/png", file.getvalue())
    return tag("img", src=source, alt=alternative, class_="example")


def section(title: str, *children: object) -> Markup:
    """Return a part of the page under its heading."""
    return tag("section", tag("h2", title), *children)


def table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> Markup:
    """Return a table; numbers are written as people read them, and stand to the right."""
    below = rows[0] if rows else [None] * len(header)
    head = tag(
        "tr",
        *(
            tag("th", name, scope="col", class_=_class(value))
            for name, value in zip(header, below, strict=True)
        ),
    )
    body = (tag("tr", *(_cell(value) for value in row)) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")


def pairs(values: Mapping[str, object]) -> Markup:
    """Return a table of names and what they stand for."""
    rows = (
        tag("tr", tag("th", key, scope="row"), _cell(value, left=True))
        for key, value in values.items()
    )
    return tag("div", tag("table", *rows), class_="wide")


def details(summary: str, *children: object) -> Markup:
    """Return a part that opens when it is asked for."""
    return tag("details", tag("summary", summary), *children)


def page(title: str, *children: object) -> str:
    """Return a whole document."""
    head = Markup(
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
    )
    document = tag(
        "html",
        tag("head", head, tag("title", title), tag("style", Markup(_STYLE))),
        tag("body", tag("main", *children)),
        lang="en",
    )
    return f"<!doctype html>\n{document}\n"


def _inline(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _written(child: object) -> str:
    return child if isinstance(child, Markup) else html.escape(figure(child))


def _cell(value: object, left: bool = False) -> Markup:
    return tag("td", value, class_=None if left else _class(value))


def _class(value: object) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if number else None


_STYLE = """
:root { color-scheme: light; --ink: #1d2330; --faint: #667085; --line: #d9dee7; --good: #1a7f4b;
  --bad: #b42318; }
body { margin: 0; background: #f6f7f9; color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; }
h2 { margin: 0 0 .75rem; font-size: 1.15rem; }
h3 { margin: 1.25rem 0 .5rem; font-size: 1rem; }
section { margin-top: 1.25rem; padding: 1.25rem; background: #fff; border: 1px solid var(--line);
  border-radius: 8px; }
p { margin: .5rem 0; max-width: 46rem; }
.headline { font-size: 1.35rem; margin: 1rem 0 0; }
.faint { color: var(--faint); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--faint); font-weight: 600; }
tbody th, tr > th[scope=row] { font-weight: 500; }
td.number, th.number { text-align: right; }
tr > th[scope=row] + td { overflow-wrap: anywhere; }
.confusion td { padding: .25rem .5rem; text-align: right; border: 1px solid #fff;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.confusion th, .confusion td { overflow-wrap: normal; }
.plot { display: block; max-width: 100%; height: auto; }
.example { width: 84px; height: auto; image-rendering: pixelated; background: #000; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 1rem; }
.mistakes.texts { grid-template-columns: 1fr; }
figure { margin: 0; }
figcaption { font-size: .9rem; }
blockquote { margin: 0 0 .25rem; padding-left: .75rem; border-left: 3px solid var(--line);
  overflow-wrap: anywhere; white-space: pre-line; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
summary { cursor: pointer; color: var(--faint); margin-top: .75rem; }
/* On a phone a drawing is moved to be read, rather than shrunk until it cannot be. */
@media screen and (max-width: 40rem) { .plot { max-width: none; } section { padding: 1rem; } }
@media print {
  body { background: none; } main { padding: 0; } section { padding: 0; border: 0; }
  .confusion { font-size: 60%; }
  h2, h3 { break-after: avoid; } figure, tr, .plot { break-inside: avoid; }
}
"""
