"""Check the documentation: every relative link leads somewhere, and every block of Python does what it shows.

    python docs/check.py

Blocks fenced as `python` run in order, one namespace a file. A block with prompts is a doctest; a block
without runs as it is. External links are not followed.
"""

from __future__ import annotations

import doctest
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("benchmarks/*.md")),
]

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def faults(page: Path) -> Iterator[str]:
    """What is wrong with a page, each with its line."""
    text = page.read_text(encoding="utf-8")
    yield from _broken_links(page, text)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in _FENCE.finditer(text):
        if block[1] == "python":
            line = text.count("\n", 0, block.start(2))
            yield from _failures(page, block[2], line, namespace)


def _broken_links(page: Path, text: str) -> Iterator[str]:
    prose = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    prose = _CODE.sub("", prose)
    for link in _LINK.finditer(prose):
        target, _, anchor = (link[1] or link[2]).partition("#")
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        where = f"{page.relative_to(ROOT)}:{prose.count(chr(10), 0, link.start()) + 1}"
        path = page.parent / target if target else page
        if not path.exists():
            yield f"{where}: {target} does not exist"
        elif anchor and path.suffix == ".md" and anchor not in _anchors(path.read_text(encoding="utf-8")):
            yield f"{where}: {path.name} has no heading #{anchor}"


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, spelled as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _failures(page: Path, code: str, line: int, namespace: dict[str, object]) -> Iterator[str]:
    name = f"{page.relative_to(ROOT)}:{line + 1}"
    if ">>>" not in code:
        try:
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
        except Exception as error:  # whatever the block raises is the finding
            yield f"{name}: {type(error).__name__}: {error}"
        return
    test = doctest.DocTestParser().get_doctest(code, namespace, name, str(page), line)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)
    if report:
        yield "".join(report)


def main() -> None:
    found = [fault for page in PAGES for fault in faults(page)]
    print("\n".join(found) or f"{len(PAGES)} pages: links resolve, code runs")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
