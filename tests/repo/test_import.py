"""Importing einback is cheap: names are looked up in their modules when they are first asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import einback as eb

PACKAGE = Path(eb.__file__).parent


def _loaded(program: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a program."""
    code = f"{program}\nimport sys\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_loads_nothing_but_the_errors():
    loaded = _loaded("import einback")
    assert {name for name in loaded if name.split(".")[0] == "einback"} == {"einback", "einback.errors"}
    assert not loaded & {"numpy", "opt_einsum", "networkx", "dataclasses", "fractions"}


def test_no_optional_package_is_loaded_by_a_whole_run():
    loaded = _loaded(
        "import einback as eb\nx = eb.tensor('x[n]')\neb.evaluate(eb.grad(eb.sum(eb.relu(x) ** 2), x), x=[1.0, 2.0])"
    )
    assert "einback.run.callable" in loaded
    assert not loaded & {"networkx", "scipy", "jax", "torch", "cupy", "dask", "matplotlib", "sklearn"}


def test_tensors_and_programs_load_no_printers_that_nobody_asked_for():
    loaded = _loaded(
        "import einback as eb\nx = eb.tensor('x[n]')\nprint(x * x)\neb.evaluate(eb.grad(eb.sum(x**2), x), x=[1.0, 2.0])"
    )
    parts = ("formula.matrix", "formula.entrywise", "formula.numpy_calls", "formula.diagram", "formula.derivation",
             "run.functional", "cli")  # fmt: skip
    assert not {name for name in loaded if name.startswith(tuple(f"einback.{part}" for part in parts))}


def test_the_table_of_names_says_what_type_checkers_read():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    read = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name not in ("linalg", "Elementwise")
    }
    assert read == eb._HOME
    assert set(eb.__all__) - set(read) == {"linalg", *(name for name in eb.__all__ if name.endswith("Error"))}


@pytest.mark.parametrize("name", eb.__all__)
def test_every_name_is_found_and_kept(name: str):
    assert getattr(eb, name) is getattr(eb, name)
    assert name in vars(eb)


def test_elementwise_functions_are_names_too():
    assert eb.tanh is eb.ELEMENTWISE["tanh"]
    assert {"tanh", "compile", "__version__"} <= set(dir(eb))
