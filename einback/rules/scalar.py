"""The scalar table: one row an elementwise function.

A row holds all that einback knows of the function: its derivatives, written in the arguments and in the
result y; its NumPy, complex, CUDA, LaTeX and text spellings; the domain that tests draw from.
Differentiation, simplification, code generation, formulas and tests read the row. To add a function, add
a row.

Derivatives follow Abramowitz & Stegun, Handbook of Mathematical Functions (1964), chapters 4 (elementary)
and 7 (erf). Conventions where a derivative does not exist: relu'(0) = 0, |x|'(0) = 0, and ties of
maximum and minimum split evenly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from einback.ir.build import exact
from einback.ir.nodes import Const, Number
from einback.rules.expr import Expr, apply
from einback.rules.helpers import ABOVE, COMPLEX, ERF
from einback.rules.wirtinger import ABS, CONJ, IMAG, IMAGINARY_PART, REAL, REAL_PART, SIGN, RealLinear

__all__ = ["LINEAR", "TABLE", "Scalar", "evaluate_power", "row"]


class _Linear:
    """Marks an argument in which a function is linear, entry by entry: it pulls back as itself."""


LINEAR: Final = _Linear()
Derivative = Callable[..., Expr] | _Linear | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """What is known of one elementwise function f(a, b, ..).

    `derivatives` has an entry an argument: a callable of (a, b, .., y), `LINEAR`, or None where f is
    locally constant in it. `numpy` is a template in {0}, {1}, ..; `helper` is the text of a Python function
    that the template calls. `analytic` is a template that is right for complex arguments too, empty where f
    is not analytic. `parts` has an entry an argument where f is linear over the reals only; they take the place
    of `derivatives` at complex numbers. `complex_cuda` is the spelling for complex arguments, in the words of CuPy's
    complex.cuh, empty where none is as good as CuPy's own call. `predicate` marks comparisons, whose NumPy spelling
    yields bools.
    """

    name: str
    derivatives: tuple[Derivative, ...]
    numpy: str
    cuda: str
    latex: str
    text: str = ""
    analytic: str = ""
    complex_cuda: str = ""
    helper: str = ""
    predicate: bool = False
    parts: tuple[RealLinear, ...] = ()
    domain: tuple[tuple[float, float], ...] = ((-2.0, 2.0),)

    @property
    def arity(self) -> int:
        return len(self.derivatives)


def _call(name: str, d: Derivative, cuda: str = "", latex: str = "", numpy: str = "", **more: Any) -> Scalar:
    """A function of one argument, spelled in NumPy as np.name unless said."""
    spelled = numpy or f"np.{name}({{0}})"
    more.setdefault("analytic", "" if more.get("parts") else spelled)
    more.setdefault("complex_cuda", (cuda or f"{name}({{0}})") if name in _OF_COMPLEX_CUDA else "")
    return Scalar(
        name=name,
        derivatives=(d,),
        numpy=spelled,
        cuda=cuda or f"{name}({{0}})",
        latex=latex or rf"\operatorname{{{{{name}}}}}\left({{0}}\right)",
        **more,
    )


_OF_COMPLEX_CUDA: Final = frozenset(
    ["exp", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "conj"]
    + ["arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"]
)


def _named(name: str, d: Derivative, **more: Any) -> Scalar:
    """A function of one argument whose name LaTeX knows."""
    return _call(name, d, latex=rf"\{name}\left({{0}}\right)", **more)


def _compare(name: str, sign: str, latex: str) -> Scalar:
    return Scalar(
        name=name,
        derivatives=(None, None),
        numpy=f"({{0}} {sign} {{1}})",
        cuda=f"({{0}} {sign} {{1}})",
        latex=rf"\left[{{0}} {latex} {{1}}\right]",
        text=f"({{0}} {sign} {{1}})",
        predicate=True,
        domain=((-2.0, 2.0), (-2.0, 2.0)),
    )


def _round(name: str, cuda: str) -> Scalar:
    return _call(name, None, cuda=cuda, analytic="", domain=((0.1, 0.4),))


_ROWS = (
    # exponentials and logarithms (A&S 4.1, 4.2)
    _named("exp", lambda x, y: y),
    _call("exp2", lambda x, y: y * math.log(2), latex="2^{{{0}}}"),
    _call("expm1", lambda x, y: apply("exp", x)),
    _named("log", lambda x, y: 1 / x, domain=((0.2, 3.0),)),
    _call("log2", lambda x, y: 1 / (x * math.log(2)), latex=r"\log_2\left({0}\right)", domain=((0.2, 3.0),)),
    _call("log10", lambda x, y: 1 / (x * math.log(10)), latex=r"\log_{{10}}\left({0}\right)", domain=((0.2, 3.0),)),
    _call("log1p", lambda x, y: 1 / (1 + x), domain=((-0.7, 3.0),)),
    # powers; y = a ** b
    Scalar(
        name="power",
        derivatives=(
            lambda a, b, y: _power_base(a, b),
            lambda a, b, y: y * apply("where", apply("equal", a, 0), 0, _log_of_base(a, y)),
        ),
        numpy="({0} ** {1})",
        analytic="({0} ** {1})",
        cuda="pow({0}, {1})",
        latex="{0}^{{{1}}}",
        text="{0}^{1}",
        domain=((0.2, 2.0), (-2.0, 2.0)),
    ),
    _call("cbrt", lambda x, y: y**-2 / 3, latex=r"\sqrt[3]{{{0}}}", analytic="", domain=((0.2, 3.0),)),
    Scalar(
        name="hypot",
        derivatives=(lambda a, b, y: a / y, lambda a, b, y: b / y),
        numpy="np.hypot({0}, {1})",
        analytic="np.sqrt({0} * {0} + {1} * {1})",
        cuda="hypot({0}, {1})",
        latex=r"\operatorname{{hypot}}\left({0}, {1}\right)",
        domain=((0.2, 2.0), (0.2, 2.0)),
    ),
    # circular and hyperbolic functions (A&S 4.3 to 4.6)
    _named("sin", lambda x, y: apply("cos", x)),
    _named("cos", lambda x, y: -apply("sin", x)),
    _named("tan", lambda x, y: 1 + y**2, domain=((-1.2, 1.2),)),
    _named("arcsin", lambda x, y: (1 - x**2) ** Fraction(-1, 2), cuda="asin({0})", domain=((-0.8, 0.8),)),
    _named("arccos", lambda x, y: -((1 - x**2) ** Fraction(-1, 2)), cuda="acos({0})", domain=((-0.8, 0.8),)),
    _named("arctan", lambda x, y: 1 / (1 + x**2), cuda="atan({0})"),
    Scalar(
        name="arctan2",
        derivatives=(lambda a, b, y: b / (a**2 + b**2), lambda a, b, y: -a / (a**2 + b**2)),
        numpy="np.arctan2({0}, {1})",
        cuda="atan2({0}, {1})",
        latex=r"\operatorname{{arctan2}}\left({0}, {1}\right)",
        domain=((0.2, 2.0), (0.2, 2.0)),
    ),
    _named("sinh", lambda x, y: apply("cosh", x)),
    _named("cosh", lambda x, y: apply("sinh", x)),
    _named("tanh", lambda x, y: 1 - y**2),
    _call("arcsinh", lambda x, y: (1 + x**2) ** Fraction(-1, 2), cuda="asinh({0})"),
    _call("arccosh", lambda x, y: (x**2 - 1) ** Fraction(-1, 2), cuda="acosh({0})", domain=((1.2, 3.0),)),
    _call("arctanh", lambda x, y: 1 / (1 - x**2), cuda="atanh({0})", domain=((-0.8, 0.8),)),
    # error function (A&S 7.1.1, 7.1.19) and its kin
    _call(
        "erf", lambda x, y: apply("exp", -(x**2)) * (2 / math.sqrt(math.pi)), numpy="erf({0})", helper=ERF, analytic=""
    ),
    _call(
        "gelu",
        lambda x, y: _normal_cdf(x) + x * apply("exp", x**2 * -0.5) * (1 / math.sqrt(2 * math.pi)),
        cuda="({0} * normcdf({0}))",
        numpy="(0.5 * {0} * (1 + erf({0} / 1.4142135623730951)))",
        helper=ERF,
        analytic="",
    ),
    # kinks, and the smooth functions that stand in for them
    _call(
        "abs",
        lambda x, y: apply("sign", x),
        cuda="fabs({0})",
        complex_cuda="abs({0})",
        latex=r"\left|{0}\right|",
        parts=(ABS,),
    ),
    _call("sign", None, cuda="({0} != {0} ? {0} : ({0} > 0) - ({0} < 0))", complex_cuda="sign_of({0})", parts=(SIGN,)),
    _call(
        "relu",
        lambda x, y: apply("greater", y, 0),
        numpy="np.maximum({0}, 0)",
        cuda="({0} > 0 || {0} != {0} ? {0} : 0)",
        analytic="",
    ),
    Scalar(
        name="leaky_relu",
        derivatives=(
            lambda a, b, y: apply("where", apply("greater", a, 0), 1, b),
            lambda a, b, y: apply("minimum", a, 0),
        ),
        numpy="np.where({0} > 0, {0}, {1} * {0})",
        cuda="({0} > 0 ? {0} : {1} * {0})",
        latex=r"\operatorname{{leaky\_relu}}\left({0}, {1}\right)",
        domain=((-2.0, 2.0), (0.1, 0.5)),
    ),
    _call(
        "sigmoid",
        lambda x, y: y * (1 - y),
        numpy="(1 / (1 + np.exp(-{0})))",
        cuda="(1 / (1 + exp(-{0})))",
        latex=r"\sigma\left({0}\right)",
    ),
    _call(
        "softplus",
        lambda x, y: apply("sigmoid", x),
        numpy="(np.maximum({0}, 0) + np.log1p(np.exp(-np.abs({0}))))",
        analytic="np.log1p(np.exp({0}))",
        cuda="(({0} > 0 ? {0} : 0) + log1p(exp(-fabs({0}))))",
    ),
    _call(
        "silu",
        lambda x, y: apply("sigmoid", x) + y * (1 - apply("sigmoid", x)),
        numpy="({0} / (1 + np.exp(-{0})))",
        cuda="({0} / (1 + exp(-{0})))",
    ),
    Scalar(
        name="logaddexp",
        derivatives=(lambda a, b, y: apply("sigmoid", a - b), lambda a, b, y: apply("sigmoid", b - a)),
        numpy="np.logaddexp({0}, {1})",
        analytic="np.log(np.exp({0}) + np.exp({1}))",
        cuda="(({0} > {1} ? {0} : {1}) + log1p(exp({0} == {1} ? 0 : -fabs({0} - {1}))))",
        latex=r"\operatorname{{logaddexp}}\left({0}, {1}\right)",
        domain=((-2.0, 2.0), (-2.0, 2.0)),
    ),
    # complex numbers and their parts
    _call("conj", LINEAR, latex=r"\overline{{{0}}}", parts=(CONJ,)),
    _call(
        "real",
        LINEAR,
        numpy="np.positive({0}.real)",
        complex_cuda="real_of({0})",
        latex=r"\operatorname{{Re}}\left({0}\right)",
        parts=(REAL,),
    ),
    _call(
        "imag",
        None,
        numpy="np.positive({0}.imag)",
        complex_cuda="imag_of({0})",
        latex=r"\operatorname{{Im}}\left({0}\right)",
        parts=(IMAG,),
    ),
    Scalar(
        name="complex",
        derivatives=(None, None),
        numpy="complex_of({0}, {1})",
        helper=COMPLEX,
        cuda="",
        complex_cuda="complex_of({0}, {1})",
        latex=r"\left({0} + \left({1}\right) \mathrm{{i}}\right)",
        parts=(REAL_PART, IMAGINARY_PART),
        domain=((-2.0, 2.0), (-2.0, 2.0)),
    ),
    # choices; `above` is the share of the first argument in a maximum
    Scalar(
        name="maximum",
        derivatives=(lambda a, b, y: apply("above", a, b), lambda a, b, y: apply("above", b, a)),
        numpy="np.maximum({0}, {1})",
        cuda="({0} > {1} || {0} != {0} ? {0} : {1})",
        latex=r"\max\left({0}, {1}\right)",
        domain=((-2.0, 2.0), (-2.0, 2.0)),
    ),
    Scalar(
        name="minimum",
        derivatives=(lambda a, b, y: apply("above", b, a), lambda a, b, y: apply("above", a, b)),
        numpy="np.minimum({0}, {1})",
        cuda="({0} < {1} || {0} != {0} ? {0} : {1})",
        latex=r"\min\left({0}, {1}\right)",
        domain=((-2.0, 2.0), (-2.0, 2.0)),
    ),
    Scalar(
        name="above",
        derivatives=(None, None),
        numpy="above({0}, {1})",
        helper=ABOVE,
        cuda="({0} > {1} ? 1 : {0} == {1} ? 0.5 : 0)",
        latex=r"\operatorname{{above}}\left({0}, {1}\right)",
        domain=((-2.0, 2.0), (-2.0, 2.0)),
    ),
    Scalar(
        name="where",
        derivatives=(None, LINEAR, LINEAR),
        numpy="np.where({0}, {1}, {2})",
        cuda="({0} ? {1} : {2})",
        complex_cuda="({0} ? {1} : {2})",
        latex=r"\operatorname{{where}}\left({0}, {1}, {2}\right)",
        domain=((0.0, 1.0), (-2.0, 2.0), (-2.0, 2.0)),
    ),
    _compare("greater", ">", ">"),
    _compare("greater_equal", ">=", r"\geq"),
    _compare("less", "<", "<"),
    _compare("less_equal", "<=", r"\leq"),
    _compare("equal", "==", "="),
    _compare("not_equal", "!=", r"\ne"),
    # steps: locally constant
    _round("floor", "floor({0})"),
    _round("ceil", "ceil({0})"),
    _round("rint", "rint({0})"),
    _round("trunc", "trunc({0})"),
)


def _power_base(a: Expr, b: Expr) -> Expr:
    """d a**b / da = b a**(b-1), at 0**0 too, where it is zero; a constant exponent stays one."""
    if isinstance(b.node, Const):
        return a ** exact(b.node.value - 1) * b.node.value
    return apply("where", apply("equal", a, 0) * apply("equal", b, 0), 0, b * a ** (b - 1))


def _log_of_base(a: Expr, y: Expr) -> Expr:
    """log(a), in complex numbers where y = a**b is complex: there a negative base has a logarithm too."""
    real = a.node if not a.node.is_complex else None
    if real is None or not y.node.is_complex or (isinstance(real, Const) and real.value > 0):
        return apply("log", a)
    return apply("log", apply("complex", a, 0))


def _normal_cdf(x: Expr) -> Expr:
    return (1 + apply("erf", x * math.sqrt(0.5))) * 0.5


TABLE: Final[dict[str, Scalar]] = {scalar.name: scalar for scalar in _ROWS}


def row(name: str) -> Scalar:
    """The row of a function; an unknown one is an error, never a silent zero."""
    found = TABLE.get(name)
    if found is None:
        raise KeyError(f"no row {name!r} in the scalar table")
    return found


def evaluate_power(base: Number, exponent: Number) -> Number | None:
    """base ** exponent where that is exact, else None."""
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        if base == 0 and exponent < 0:
            return None
        return base**exponent.numerator if abs(exponent) <= 64 else None
    return None
