"""The standalone file: a pleasure to read, and the same numbers without einback."""

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from einback.errors import ArrayError, CompileError
from einback.ir.build import add, einsum, scale
from einback.ir.nodes import Input, Map, Node
from einback.rules.matrix import matrix
from einback.run.callable import Compiled
from einback.run.names import Namer, identifier
from tests.run.models import batch, step
from tests.run.random_programs import arrays_for, programs

x, y = Input("x", ("n",), ()), Input("y", ("n",), ())

RUN = """
import pickle, sys
sys.modules["einback"] = None
here = {}
source, arrays = pickle.load(sys.stdin.buffer)
exec(source, here)
sys.stdout.buffer.write(pickle.dumps(here["step"](**arrays)))
"""

GOLDENS = Path(__file__).parent / "goldens"


def alone(source: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """The file's function in a fresh interpreter that cannot import einback."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN], input=pickle.dumps((source, dict(arrays))), capture_output=True, check=False
    )
    assert not done.returncode, done.stderr.decode()
    return pickle.loads(done.stdout)


def check_golden(name: str, text: str) -> None:
    """Compare with a file; EINBACK_REWRITE_GOLDENS=1 writes it."""
    path = GOLDENS / name
    if os.environ.get("EINBACK_REWRITE_GOLDENS") == "1":
        path.write_text(text, encoding="utf8")
    assert text == path.read_text(encoding="utf8")


def test_the_file_of_a_network() -> None:
    program = step()
    program(batch())
    check_golden("network.txt", program.source())
    check_golden("network_plan.txt", str(program.plan()))


def test_the_file_gives_the_same_numbers_without_einback() -> None:
    program, arrays = step(), batch()
    here, there = program(arrays), alone(program.source(arrays), arrays)
    assert here["loss"] == there["loss"]
    for name in "WbV":
        assert here["grads"][name].tobytes() == there["grads"][name].tobytes()


@settings(max_examples=60)
@given(st.data())
def test_files_of_random_programs_are_what_runs(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 2**32)))
    program = Compiled(roots, inputs, structure=tuple(range(len(roots))))
    results = program(arrays, **sizes)
    space: dict = {}
    exec(program.source(), space)
    read = [name for name in arrays if f"    {name} " in program.source().split("Results")[0]]
    again = space["step"](**{name: arrays[name] for name in read})
    for one, two in zip(results, again, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()


def test_the_file_refuses_other_shapes() -> None:
    space: dict = {}
    exec(Compiled([scale(x, 2)], [x]).source(n=3), space)
    with pytest.raises(ValueError, match=r"step was written for shapes \[\(3,\)\], and got \[\(4,\)\]"):
        space["step"](x=np.ones(4))


def test_formulas_stand_above_their_steps() -> None:
    def describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
        return f"{name} from\n{', '.join(dict.fromkeys(given.values()))}"

    root = Map("tanh", (einsum([x, y], ["i", "j"], "ij"),))
    program = Compiled([root, einsum([root, x], ["ij", "j"], "i")], [x, y], structure=(0, 1), describe=describe)
    source = program.source(n=2)
    assert "    # t1 from x, y\n" in source
    assert "    # t2 from x, y, t1\n" in source
    assert [step.formula for step in program.plan().steps] == ["t1 from x, y", "t2 from x, y, t1"]


def test_formulas_are_written_when_they_are_asked_for() -> None:
    """What runs has the lines of the described file, so that an error in it finds the formula of its step."""
    asked: list[str] = []

    def describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
        asked.append(name)
        return f"{name} = .."

    A = Input("A", ("n", "n"), ())
    program = Compiled([Map("exp", (scale(matrix("inv", A), 2),))], [A], describe=describe)
    program(A=np.eye(2))
    assert not asked
    with pytest.raises(ArrayError, match=r"a matrix has no inverse: t1 = \.\."):
        program(A=np.zeros((2, 2)))
    written = list(asked)
    assert len(written) == len(set(written)) == len(program.plan().steps) > 0
    assert asked == written
    assert program.source() == program.source()
    assert asked == 2 * written


def test_nodes_are_described_as_the_caller_knows_them() -> None:
    """A product that is planned in two parts is still one product in what the caller wrote."""
    seen: list[Node] = []
    A = Input("A", ("n", "n"), ())
    square = einsum([A, A], ["ij", "jk"], "ki")
    known = add([square, A])

    def describe(node: Node, name: str, given: Mapping[Node, str]) -> str:
        seen.append(node)
        return name

    Compiled([known], [A], describe=describe).source(n=2)
    assert known in seen


def test_titles_cannot_end_the_docstring() -> None:
    source = Compiled([scale(x, 2)], [x], title='a """ and a \\').source(n=1)
    space: dict = {}
    exec(source, space)
    assert space["__doc__"].startswith('a """ and a \\\n')


def test_the_memory_of_what_is_read_no_more_is_used_again() -> None:
    def space(layers: int) -> int:
        A = Input("A", ("n", "n"), ())
        node: Node = A
        for _ in range(layers):
            node = add([node, Map("abs", (node,))])
            node = Map("tanh", (einsum([node, A], ["ij", "jk"], "ik"),))
        found = re.search(r"workspace\((\d+)\)", Compiled([node], [A]).source(n=400))
        assert found
        return int(found[1])

    assert space(10) == space(3) == 2 * 8 * 400 * 400


def test_long_signatures_and_results_are_broken_into_lines() -> None:
    many = [Input(f"a_rather_long_name_{k}", ("n",), ()) for k in range(12)]
    program = Compiled([scale(t, 2) for t in many], many, structure={t.name: k for k, t in enumerate(many)})
    source = program.source(n=1)
    assert max(map(len, source.splitlines())) <= 110
    arrays = {t.name: np.ones(1) for t in many}
    assert alone(source, arrays) == {t.name: [2.0] for t in many}


def test_keys_of_results_that_cannot_be_written() -> None:
    with pytest.raises(CompileError) as error:
        Compiled([x], [x], structure={x: 0})(x=np.ones(1))
    assert str(error.value) == "a dict of results has keys that are strings or numbers, not Input"
    assert Compiled([x], [x], structure={("a", 1): 0, None: 1, 'q"\n': 2}.__class__({'q"\n': 0}))(x=[1]) == {
        'q"\n': [1]
    }


@pytest.mark.parametrize(
    "name", ["class", "lambda", "np", "step", "sum", "β", "中", "W'", "ﬁ", "x.__class__", "a;b", "t1"]
)
def test_any_name_makes_valid_source(name: str) -> None:
    tensor = Input(name, ("n",), ())
    program = Compiled([Map("sigmoid", (scale(tensor, 2),))], [tensor], names={scale(tensor, 2): "sigmoid"})
    np.testing.assert_allclose(program({name: np.zeros(1)}), [0.5])
    compile(program.source(), "<test>", "exec")


def test_names_are_distinct_identifiers() -> None:
    namer = Namer(["taken"])
    assert [namer.name(n) for n in ("W", "W", "taken", "ﬁ", "fi", "H_1", "H_1")] == [
        "W", "W_2", "taken_2", "fi", "fi_2", "H_1", "H_1_2"]  # fmt: skip
    assert identifier("a;b") == "a_b"


def test_names_cannot_collide_with_each_other() -> None:
    tensors = [Input(name, ("n",), ()) for name in ("W", "W'", "W_", "t1", "u1")]
    root = Map("sigmoid", (add([Map("tanh", (t,)) for t in tensors]),))
    program = Compiled([root], tensors)
    given = {t.name: np.full(1, 0.1 * k) for k, t in enumerate(tensors)}
    want = 1 / (1 + np.exp(-sum(np.tanh(0.1 * k) for k in range(5))))
    np.testing.assert_allclose(program(given), [want])


def test_the_text_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "from tests.run.models import *\n"
        "program = step()\n"
        "print(program.source(n=64, d=10, h=20, c=5)); print(program.plan())"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(texts) == 1
