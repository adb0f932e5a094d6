"""The tables, in the order of the page."""

from __future__ import annotations

from ..row import Group
from . import first_order, linalg, matrices, networks, norms, products, relations, second_order, tensors, traces

__all__ = ["GROUPS"]

GROUPS: tuple[Group, ...] = (
    first_order.SCALARS,
    first_order.VECTORS,
    matrices.FORMS,
    traces.TRACES,
    linalg.DETERMINANTS,
    linalg.INVERSES,
    linalg.SPECTRA,
    norms.NORMS,
    products.PRODUCTS,
    products.DIFFERENTIALS,
    second_order.HESSIANS,
    second_order.THIRD,
    networks.SOFTMAX,
    networks.LOSSES,
    networks.LAYERS,
    networks.ATTENTION,
    relations.RELATIONS,
    tensors.DECOMPOSITIONS,
)
