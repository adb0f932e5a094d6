"""A Sphinx extension for pages that are read on GitHub too.

Mathematics becomes MathML, which browsers draw themselves, with nothing fetched from elsewhere; `` $`..`$ ``, as GitHub
has it in tables, is `$..$` to Sphinx. Links to files of the repository lead to the pages that show them, and bars in
docstrings are bars.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from einback.formula.mathml import mathml

__all__ = ["setup"]

_QUOTED = re.compile(r"\$`(.+?)`\$")
_LINKS = (
    (re.compile(r"\]\(examples/(\w+)\.py\)"), r"](docs/examples.md#\1py)"),
    (re.compile(r"\]\(benchmarks/README\.md\)"), "](docs/benchmarks.md)"),
    (re.compile(r"\]\(CHANGELOG\.md\)"), "](docs/changelog.md)"),
    (re.compile(r"\]\(\.\./README\.md[^)]*\)"), "](index.md)"),
    (re.compile(r"\]\(\.\./benchmarks/README\.md\)"), "](benchmarks.md)"),
)


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext()).replace("<math ", '<math displaystyle="true" ', 1))
    raise nodes.SkipNode


def _display(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = _QUOTED.sub(lambda found: f"${found[1]}$", source[0])
    source[0] = source[0].replace("\n\n```\n", "\n```\n")  # the empty line that ends a doctest
    for link, page in _LINKS:
        source[0] = link.sub(page, source[0])


def _included(app: Sphinx, path: Path, name: str, source: list[str]) -> None:
    _read(app, name, source)


def _docstring(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    code = False
    for k, line in enumerate(lines):
        code = line.strip() != "" and (code or line.lstrip().startswith(">>>"))
        if not code:
            lines[k] = line.replace("|", r"\|")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    app.connect("source-read", _read)
    app.connect("include-read", _included)
    app.connect("autodoc-process-docstring", _docstring)
    return {"version": "1", "parallel_read_safe": True}
