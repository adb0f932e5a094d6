"""Whether slices pay: a decision about a plan, with its reason."""

import numpy as np

from einback.ir.build import add, einsum
from einback.ir.nodes import Input, Map, Node, Window
from einback.plan.choosing import Choice, choose_slices
from einback.plan.plan import Plan, make_plan

X, W = Input("X", ("n", "d"), ()), Input("W", ("d", "c"), ())
CHAIN = Map("tanh", (add([Map("exp", (X,)), X]),))
PRODUCT = einsum([X, W], ["nd", "dc"], "nc")


def plan(root: Node, **sizes: int) -> Plan:
    return make_plan([root], sizes=sizes, arrays={"X": np.dtype("f8"), "W": np.dtype("f8")})


def test_little_work_is_left() -> None:
    assert choose_slices(plan(CHAIN, n=10, d=10), 2, 1 << 20) == Choice(1, "there is too little to do")


def test_a_convolution_is_cut() -> None:
    """Its products are small ones, image by image, and its patches are copied."""
    x, K = Input("x", ("n", "c", "p"), ()), Input("K", ("o", "c", "u"), ())
    node = einsum([x, Window("p", ("i", "u"), (1, 1), 0), K], ["ncp", "piu", "ocu"], "noi")
    sizes = {"n": 64, "c": 16, "p": 4098, "o": 16, "i": 4096, "u": 3}
    arrays = {"x": np.dtype("f4"), "K": np.dtype("f4")}
    assert choose_slices(make_plan([node], sizes=sizes, arrays=arrays), 2).slices > 2


def test_matrix_products_are_left() -> None:
    large = plan(PRODUCT, n=4096, d=512, c=512)
    assert choose_slices(large, 2, 1 << 20) == Choice(1, "there is too little to do")
    both = plan(Map("tanh", (PRODUCT,)), n=4096, d=512, c=512)
    assert choose_slices(both, 2, 1 << 20) == Choice(1, "matrix products take most of the time")


def test_an_elementwise_chain_is_cut_so_that_a_slice_fits_or_takes_a_while() -> None:
    chain = plan(CHAIN, n=1 << 14, d=64)
    assert chain.peak_bytes == 1 << 23
    assert choose_slices(chain, 2, 1 << 22) == Choice(2, "2 slices stay near the processor, 2 at a time")
    assert choose_slices(chain, 2, 1 << 20).slices == 4  # 8 would fit; its 48 MB move in 2.5 ms
    assert choose_slices(plan(CHAIN, n=1 << 24, d=64), 2, 1 << 20).slices == 256
