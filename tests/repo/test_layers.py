"""Each folder imports only what stands above it, at the top of the file; files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "einback"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up: what stands on a line may import what stands before it.
LAYERS = (
    "errors",
    "ir",
    "rules",
    "notation",
    "derive",
    "plan",
    "run",
    "formula",
    "interop",
    "api",
    "cli",
    "__main__",
    "__init__",
)

# Neighbours that must not know each other although one stands above the other.
STRANGERS = {("derive", "notation"), ("formula", "run"), ("formula", "plan"), ("plan", "notation"), ("run", "notation")}

# Each optional package is imported in one place.
OPTIONAL = ("cairosvg", "click", "cupy", "jax", "torch", "scipy", "dask", "matplotlib")

LONGEST = 350


def _layer(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def _imports(tree: ast.AST) -> Iterator[str]:
    """The modules that a file imports, `from x import y` as x and as x.y."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_downwards(path: Path):
    here = _layer(path)
    assert here in LAYERS
    for module in _imports(ast.parse(path.read_text())):
        parts = module.split(".")
        if parts[0] != "einback" or len(parts) == 1 or parts[1] not in LAYERS:
            continue
        there = parts[1]
        assert LAYERS.index(there) <= LAYERS.index(here), f"{here} imports {module}"
        assert (here, there) not in STRANGERS, f"{here} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_import_inside_a_function(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [n.lineno for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{node.name} imports at line {inner[0]}"


@pytest.mark.parametrize("package", OPTIONAL)
def test_an_optional_package_is_imported_in_one_place(package: str):
    importing = [
        _name(path)
        for path in MODULES
        if any(module.split(".")[0] == package for module in _imports(ast.parse(path.read_text())))
    ]
    assert len(importing) <= 1, importing


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_files_are_short(path: Path):
    lines = path.read_text().count("\n")
    assert lines <= LONGEST, f"{lines} lines: the file holds two things"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_what_it_is_for(path: Path):
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))
