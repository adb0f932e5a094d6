"""A derivation as a page of HTML that stands alone: MathML, no scripts, nothing loaded from elsewhere.

MathML is made of the page's LaTeX by the package latex2mathml; every step can be folded, and holds its formulas as text
to copy. Words and formulas are escaped.
"""

from __future__ import annotations

from html import escape

from einback.formula.derivation.page import Entry, Page, latex_of
from einback.formula.derivation.plain import entry_formulas, rows
from einback.formula.mathml import mathml

__all__ = ["document", "fragment"]

_STYLE = """
.einback { font-family: Georgia, "Times New Roman", serif; line-height: 1.5; max-width: 50rem; margin: 1rem auto;
  padding: 0 1rem; color: #1b1b1b; background: #fff; }
.einback h1 { font-size: 1.4rem; } .einback h2 { font-size: 1.1rem; margin: 1.5rem 0 .4rem; }
.einback details { border-left: 3px solid #c9d3e0; padding: .1rem 0 .1rem .8rem; margin: .5rem 0; }
.einback summary { cursor: pointer; } .einback .number { color: #5a6b80; margin-right: .4rem; }
.einback .math { overflow-x: auto; padding: .3rem 0 .3rem 1rem; }
.einback pre { font-size: .8rem; color: #5a6b80; margin: .2rem 0 .4rem 1rem; overflow-x: auto; user-select: all; }
.einback math { font-size: 1.05rem; } .einback mtd { padding: .25em .15em; }
@media (prefers-color-scheme: dark) {
  .einback { color: #e4e4e4; background: #17191c; }
  .einback details { border-color: #3c4757; } .einback .number, .einback pre { color: #93a3b8; }
}
""".strip()


def document(page: Page, notation: str) -> str:
    """The whole page."""
    title = escape(page.title)
    head = f'<meta charset="utf-8"><title>{title}</title>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    whole = "body { margin: 0; } @media (prefers-color-scheme: dark) { body { background: #17191c; } }"
    body = fragment(page, notation)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}{view}<style>{whole}</style></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def fragment(page: Page, notation: str) -> str:
    """The page without its frame, as a notebook shows it."""
    lines = [f"<style>{_STYLE}</style>", '<article class="einback">', f"<h1>{escape(page.title)}</h1>"]
    for heading, entries in page.sections():
        lines += ["<section>", f"<h2>{escape(heading)}</h2>"]
        lines += [_step(entry, notation) for entry in entries]
        lines.append("</section>")
    return "\n".join([*lines, "</article>"])


def _step(entry: Entry, notation: str) -> str:
    reason = escape(entry.reason or "definition", quote=False)
    formulas = escape(entry_formulas(entry, notation), quote=False)
    return (
        f'<details open><summary><span class="number">({entry.number})</span>{reason}</summary>\n'
        f'<div class="math">{_table(entry, notation)}</div>\n<pre>{formulas}</pre></details>'
    )


def _table(entry: Entry, notation: str) -> str:
    """The formulas of a step as one table of MathML, aligned at their signs."""
    lines = r" \\ ".join(rows([latex_of(one, notation) for one in entry.equations]))
    upright = lines.replace(r"\mathrm{d}", r"\text{d}")  # else a lone letter is italic
    return mathml(rf"\begin{{aligned}}{upright}\end{{aligned}}", block=True)
