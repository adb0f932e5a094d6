"""The plan: an order that is possible and saves memory, honest costs, and a report to read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einback.errors import ArrayError, CompileError
from einback.ir.build import add, broadcast, einsum, total
from einback.ir.nodes import Input, Map, Node, Ones, Reduce
from einback.ir.walk import children, postorder
from einback.plan.grouping import operands
from einback.plan.plan import Plan, make_plan
from tests.run.random_programs import arrays_for, programs

X, W, b = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ()), Input("b", ("c",), ())
Z = add([einsum([X, W], ["nd", "dc"], "nc"), broadcast(b, ("n", "c"), [1])])
LENGTHS = {"n": 64, "d": 10, "c": 5}


def planned(*roots: Node, sizes: dict[str, int] = LENGTHS, **more: object) -> Plan:
    inputs = [node for node in postorder(roots) if isinstance(node, Input)]
    arrays = {tensor.name: np.dtype(np.float64) for tensor in inputs}
    return make_plan(roots, sizes=sizes, arrays=arrays, **more)  # type: ignore[arg-type]


@given(st.data())
def test_every_node_is_computed_once_after_what_it_reads(data: st.DataObject) -> None:
    roots, inputs = data.draw(programs())
    sizes, arrays = arrays_for(inputs, data.draw(st.integers(0, 99)))
    plan = make_plan(roots, sizes=sizes, arrays={name: array.dtype for name, array in arrays.items()})
    done = {node for node in postorder(plan.roots) if isinstance(node, Input)}
    for step in plan.steps:
        assert step.nodes[-1] is step.node
        for node in step.nodes:
            assert node not in done
            assert all(operand in done for operand in operands(node, plan.base))
            done.add(node)
    assert all(plan.base[root] in done for root in plan.roots if root in plan.base)
    assert plan.flops >= 0
    assert plan.peak_bytes >= max((step.nbytes for step in plan.steps), default=0)


def test_costs_of_a_layer() -> None:
    plan = planned(Z, total(Z, [0]), forward=[Z])
    product, bias, column_sums = 2 * 64 * 10 * 5, 64 * 5, 64 * 5
    assert plan.forward_flops == product + bias
    assert plan.flops == product + bias + column_sums
    assert plan.peak_bytes == 8 * (64 * 5 + 5)  # the bias is added in place
    assert plan.input_bytes == 8 * (640 + 50 + 5)


def test_the_report() -> None:
    assert str(planned(Z, total(Map("tanh", (Z,)), [0]), forward=[Z])) == (
        "2 steps, 7,360 flops (forward 6,720, backward 640)\n"
        "peak 5,160 bytes, and 5,560 bytes of inputs\n"
        "\n"
        "step                                                              shape     dtype            flops"
        "          bytes          alive\n"
        "add(…, …)                                                          64×5   float64            6,720"
        "          2,560          2,560\n"
        "einsum('ij->j', …)                                                    5   float64              640"
        "             40          5,160"
    )


def test_what_frees_memory_runs_first() -> None:
    """Many large arrays that each shrink to a number: depth first, only one is alive at a time."""
    big = [Map("exp", (add([X], [k + 2]),)) for k in range(20)]
    first_all = [*big, *(total(node, [0, 1]) for node in big)]
    plan = planned(add([total(node, [0, 1]) for node in big]))
    assert plan.peak_bytes <= 8 * (2 * 640 + 20)
    assert planned(*first_all).peak_bytes >= 20 * 8 * 640


def test_a_step_is_a_shared_node_with_what_only_it_reads() -> None:
    shared = Map("tanh", (Z,))
    plan = planned(total(shared, [0]), total(shared, [1]))
    assert [step.node for step in plan.steps] == [shared, *plan.roots]
    assert len(plan.steps[0].nodes) == 3


def test_named_nodes_get_a_step_of_their_own() -> None:
    assert len(planned(Map("tanh", (Z,))).steps) == 1
    assert len(planned(Map("tanh", (Z,)), named=[Z]).steps) == 2


def test_long_chains_are_cut_into_steps() -> None:
    node: Node = X
    for _ in range(1000):
        node = Map("tanh", (node,))
    plan = planned(node)
    assert len(plan.steps) == 125
    assert plan.peak_bytes == 8 * 640


def test_what_numpy_would_refuse_is_refused_before() -> None:
    wide = [Input(f"T{k}", tuple(1 for _ in range(22)), ()) for k in range(3)]
    with pytest.raises(CompileError) as error:
        planned(einsum(wide[:2] + [Ones(1)] * 30, [range(22), range(22, 44), *([k] for k in range(44, 74))], range(74)))
    assert str(error.value).startswith("this program makes an array of 74 axes, and NumPy allows 64: einsum('")
    with pytest.raises(ArrayError) as empty:
        planned(Reduce("max", X, (1,)), sizes={"n": 3, "d": 0})
    assert str(empty.value) == "max over an axis of length 0: max(X, axes [1])"


def test_plans_are_linear_in_the_program() -> None:
    node: Node = X
    for k in range(3000):
        node = add([node, Map("sin", (node,))], [1, k % 5 + 1])
    assert len([step for step in planned(node).steps if children(step.node)]) == 3000
