"""The command line: what is printed, where errors go, and what the shell is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import einback as eb
from einback.cli.commands import einback

LEAST_SQUARES = "loss = (X[n,d] w[d] - y[n])^2"
NETWORK = """
# a dense layer and a softmax
Z[n,c] = X[n,d] W[d,c] + b[c]
loss   = -Y[n,c] log_softmax[c](Z[n,c]) / size(n)
"""


def run(*args: str, text: str | None = None) -> Result:
    return CliRunner().invoke(einback, list(args), input=text, catch_exceptions=False)


def printed(*args: str, text: str | None = None) -> str:
    result = run(*args, text=text)
    assert result.exit_code == 0, result.stderr
    assert not result.stderr
    return result.stdout


def refused(*args: str, text: str | None = None) -> str:
    result = run(*args, text=text)
    assert result.exit_code == 1
    assert not result.stdout
    return result.stderr


def test_the_gradient_of_text():
    assert printed("derive", LEAST_SQUARES, "--wrt", "w") == "dw[d] = 2 (X[n,d'] w[d'] - y[n]) X[n,d]\n"


def test_all_inputs_are_differentiated_by_but_whole_numbers():
    shown = printed("derive", "loss = (E[t[n]] - y[n])^2", "--declare", "t[n] integer")
    assert [line.split("[")[0] for line in shown.splitlines()] == ["dE", "dy"]


def test_options_of_a_notation():
    layer = "y[m] = W[m,n] x[n]"
    assert printed("derive", layer, "--wrt", "W", "--notation", "vec", "-O", "layout=denominator") == (
        "∂yᵀ/∂vec(W) = x ⊗ I_m\n"
    )
    trace = printed("derive", "L = A[i,j] X[i,j]", "--wrt", "X", "--notation", "differential", "-O", "form=trace")
    assert trace == "dL = tr(Aᵀ dX)\n"
    assert "has no option 'vec'" in refused("derive", layer, "--wrt", "W", "--notation", "matrix", "-O", "vec=row")
    assert "without options" in refused("derive", layer, "--wrt", "W", "--steps", "-O", "vec=row")
    assert run("derive", layer, "-O", "vec").exit_code == run("derive", layer, "-O", "name=J").exit_code == 2


@pytest.mark.parametrize("program", ["", "  "])
def test_a_program_without_text(program: str):
    assert refused("derive", program).startswith("error: the program is empty\na program is a file")


def test_files_standard_input_and_semicolons(tmp_path: Path):
    path = tmp_path / "network.ein"
    path.write_text(NETWORK)
    expected = str(eb.grad(eb.program(NETWORK)["loss"], eb.program(NETWORK)["W"])) + "\n"
    assert printed("derive", str(path), "--wrt", "W") == expected
    assert printed("derive", "-", "--wrt", "W", text=NETWORK) == expected
    lines = "; ".join(line for line in NETWORK.splitlines() if "=" in line)
    assert printed("derive", lines, "--wrt", "W") == expected


def test_what_is_meant_may_be_any_name():
    assert printed("derive", "s = x[i]^2; t = x[i]^3", "--of", "s") == "dx[i] = 2 x[i]\n"
    assert (
        printed("derive", "s = x[i]^2; t = s^2", "--wrt", "s,x")
        == "ds = 2 s\n  where s = x[i]²\ndx[i] = 4 x[i] x[i']²\n"
    )


def test_what_is_no_scalar_has_a_jacobian():
    assert printed("derive", "y[i] = A[i,j] x[j]", "--wrt", "x") == "dy_dx[i,j] = A[i,j]\n"


def test_declarations_and_lengths():
    shown = printed("derive", "q = x[i] A[i,j] x[j]", "--wrt", "x", "--declare", "A[n,n] symmetric")
    assert " + " not in shown
    assert "size" not in printed("derive", "m = x[i] / size(i)", "--let", "i=4")


def test_the_blocks_of_a_hessian():
    assert printed("hessian", LEAST_SQUARES, "--wrt", "w") == "H_w_w[d,d'] = 2 X[n,d] X[n,d']\n"
    assert printed("hessian", "f = x[i]^2 s", "--wrt", "x", "--wrt", "s").splitlines() == [
        "H_x_x[i,i'] = 2 s δ[i,i']",
        "H_s_x[i] = 2 x[i]",
        "H_s_s = 0",
    ]


def test_formats():
    args = ("derive", LEAST_SQUARES, "--wrt", "w", "--format")
    y = eb.program(LEAST_SQUARES)
    gradient = eb.grad(y["loss"], y["w"])
    assert printed(*args, "latex") == f"\\[\n{gradient.latex()}\n\\]\n"
    assert printed(*args, "markdown") == f"$$\n{gradient.latex()}\n$$\n"
    (found,) = json.loads(printed(*args, "json"))
    assert found == {
        "name": "dw", "of": "loss", "by": ["w"], "shape": ["d"], "notation": "index",
        "text": gradient.text(), "latex": gradient.latex(),
    }  # fmt: skip


def test_pages(tmp_path: Path):
    shown = printed("derive", "l = x[i] y[i]", "--format", "html")
    assert shown.count("<math ") == 2
    assert "<pre>dx[i] = y[i]</pre>" in shown
    page = printed("derive", LEAST_SQUARES, "--wrt", "w", "--steps", "--format", "html")
    assert page.startswith("<!DOCTYPE html>")
    assert "http" not in page.replace("http://www.w3.org/1998/Math/MathML", "")


def test_steps():
    p = eb.program(LEAST_SQUARES)
    expected = eb.derivation(p["loss"], p["w"])
    args = ("derive", LEAST_SQUARES, "--wrt", "w", "--steps", "--format")
    assert printed(*args, "text").strip() == str(expected).strip()
    assert printed(*args, "markdown").strip() == expected.markdown().strip()
    assert expected.latex() in printed(*args, "latex")
    (found,) = json.loads(printed(*args, "json"))
    assert [step["rule"] for step in found["steps"]] == [step.rule for step in expected.steps]


def test_a_file_is_written(tmp_path: Path):
    path = tmp_path / "slope.txt"
    assert printed("derive", LEAST_SQUARES, "--wrt", "w", "-o", str(path)) == ""
    assert path.read_text() == printed("derive", LEAST_SQUARES, "--wrt", "w")


def test_source_stands_alone():
    text = printed("source", LEAST_SQUARES, "--wrt", "w", "--sizes", "n=5,d=2")
    rng = np.random.default_rng(0)
    arrays = {"X": rng.normal(size=(5, 2)), "w": rng.normal(size=2), "y": rng.normal(size=5)}
    namespace: dict = {}
    exec(text, namespace)
    found = namespace["step"](**arrays)
    residual = arrays["X"] @ arrays["w"] - arrays["y"]
    np.testing.assert_allclose(found["loss"], residual @ residual, rtol=1e-14)
    np.testing.assert_allclose(found["dw"], 2 * residual @ arrays["X"], rtol=1e-14)


def test_diagrams(tmp_path: Path):
    form = "y = x[i] A[i,j] x[j]"
    p = eb.program(form)
    assert printed("diagram", form) == p["y"].diagram().svg.rstrip("\n") + "\n"
    beside = eb.diagram(p["y"], eb.grad(p["y"], p["x"]))
    assert printed("diagram", form, "--wrt", "x") == beside.svg.rstrip("\n") + "\n"
    for ending in ("svg", "tex"):
        path = tmp_path / f"form.{ending}"
        assert printed("diagram", form, "-o", str(path)) == ""
        assert path.stat().st_size > 100
    assert refused("diagram", form, "-o", "form.bmp").startswith("error: a picture cannot be saved as .bmp\n")


@pytest.mark.parametrize("target", ["numpy", "cupy", "torch", "jax"])
def test_source_for_other_libraries(target: str):
    text = printed("source", LEAST_SQUARES, "--wrt", "w", "--target", target, "--readable", "--function-name", "fit")
    assert "def fit(" in text
    compile(text, "fit.py", "exec")


def test_source_that_checks_itself(tmp_path: Path):
    path = tmp_path / "step.py"
    printed("source", LEAST_SQUARES, "--wrt", "w", "--with-check", "-o", str(path))
    subprocess.run([sys.executable, str(path)], check=True, capture_output=True)


def test_the_plan_of_some_sizes():
    assert printed("plan", "l = log(sum[i](exp(x[i])))", "--sizes", "i=1000").startswith("5 steps, 5,005 flops")


def test_gradients_are_checked():
    assert printed("check", "l = log(sum[i](exp(x[i])))").endswith("by complex step: ok\n")
    assert printed("check", "y[b,o,i] = x[b,c,2*i+u] K[o,c,u]").count(": ok") == 2
    assert printed("check", "q = logdet(A)", "--declare", "A[n,n] positive_definite").count(": ok") == 1
    assert printed("check", "q = Y[n,c] log(Y[n,c])", "--declare", "Y[n,c] stochastic").count(": ok") == 1


def test_a_check_that_fails_is_told_to_the_shell(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("einback.api.checking.grad", lambda y, wrt: [2 * one for one in eb.grad(y, wrt)])
    result = run("check", "l = x[i]^2")
    assert result.exit_code == 1
    assert ": ok" not in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["derive", "l = x[i"], "error: this bracket [ is never closed\n  l = x[i\n       ^\n"),
        (
            ["derive", LEAST_SQUARES, "--wrt", "v"],
            "error: the program has no tensor 'v'\n",
        ),
        (
            ["derive", "nothing.ein"],
            "error: nothing.ein cannot be read: No such file or directory\n"
            'a program is a file, - for standard input, or text with a definition: "y[n] = A[n,m] x[m]"\n',
        ),
        (["derive", "l = 3"], "error: there is nothing to differentiate by\nname an input: --wrt W\n"),
        (
            ["derive", "l = x[i]^2", "--declare", "x[n] positiv"],
            "error: 'positiv' says nothing about a tensor that einback knows\ndid you mean positive?\n",
        ),
        (["plan", "l = x[i]^2", "--sizes", "i"], "error: 'i' is no size\nwrite a name and a number, as in n=100\n"),
        (["plan", "l = x[i]^2", "--sizes", "k=3"], "error: no size is named k\nthe sizes are i\n"),
    ],
)
def test_errors(args: list[str], message: str):
    assert refused(*args) == message


def test_what_has_no_form_is_named_and_the_rest_is_printed():
    result = run("derive", "y[i] = A[i,j] x[j]", "--wrt", "A,x", "--notation", "matrix")
    assert result.exit_code == 1
    assert result.stdout == "∂y/∂xᵀ = A\n"
    assert result.stderr.startswith("error: dy_dA: ")


def test_left_sides_are_those_of_the_notation():
    shown = printed("derive", "L = x[i] A[i,j] x[j]", "--wrt", "x", "--notation", "differential")
    assert shown == "dL = xᵀ (A + Aᵀ) dx\n"


def test_a_file_that_cannot_be_written(tmp_path: Path):
    path = str(tmp_path / "nowhere" / "slope.txt")
    for command in (["derive"], ["source"], ["diagram"]):
        assert "No such file or directory" in refused(*command, LEAST_SQUARES, "-o", path.replace("txt", "svg"))


def test_wrong_usage_exits_with_two():
    assert run("derive").exit_code == 2
    assert run("derive", LEAST_SQUARES, "--notation", "cyrillic").exit_code == 2


def test_help_names_every_command():
    for name in einback.commands:
        assert "Usage: " in printed(name, "--help")
        assert name in printed("--help")


def test_it_works_in_a_pipe():
    program = "import sys; from einback.cli import main; sys.argv[0] = 'einback'; main()"
    made = subprocess.run(
        [sys.executable, "-c", program, "derive", "-"], input="l = x[i]^2", capture_output=True, text=True, check=True
    )
    assert (made.stdout, made.stderr) == ("dx[i] = 2 x[i]\n", "")
    completion = subprocess.run(
        [sys.executable, "-m", "einback", "--version"], capture_output=True, text=True, check=True
    )
    assert eb.__version__ in completion.stdout
