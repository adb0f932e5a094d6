"""What the notation says when it cannot read an einsum string, a declaration or a layer; see `messages`."""

from __future__ import annotations

from collections.abc import Sequence

from einback.errors import NotationError, ShapeError, Span, did_you_mean
from einback.notation.messages import count, describe, fact

# Einsum strings


two_arrows = fact("two arrows in one string", "an einsum string has one output")
half_arrow = fact("half an arrow", "write -> between the operands and the output")
comma_in_output = fact("a comma in the output", "an einsum string has one output")
two_ellipses = fact("two ellipses in one term")
lone_dot = fact("a dot that is no part of an ellipsis", "an ellipsis is ...")


def bad_label(text: str, at: int) -> NotationError:
    return NotationError(f"{describe(text[at])} cannot be a label", text=text, span=(at, at + 1))


def unknown_output_label(label: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"output label {label} is in no operand",
        text=text,
        span=span,
        hint="a new axis needs a size: add an operand of ones",
    )


def operand_count(terms: int, given: int, names: Sequence[str], text: str) -> ShapeError:
    listed = f" ({', '.join(names)})" if any(names) else ""
    return ShapeError(
        f"the string has {count(terms, 'term')} for {count(given, 'operand')}{listed}",
        text=text,
        span=(0, len(text)),
        hint="write one term for each operand, with commas between",
    )


def operand_rank(operand: str, labels: int, axes: int, text: str, span: Span) -> ShapeError:
    return ShapeError(
        f"{operand} has {count(axes, 'axis')}, but {count(labels, 'label')} in the string",
        text=text,
        span=span,
        hint="write one label for each axis" + (", or ... for the further axes" if axes > labels else ""),
    )


def lost_ellipsis(axes: int, text: str, span: Span) -> NotationError:
    return NotationError(
        f"the output has no place for the {count(axes, 'axis')} of the ellipsis",
        text=text,
        span=span,
        hint="write ... in the output as well",
    )


# Declarations


def declared_twice(name: str, text: str, span: Span) -> NotationError:
    return NotationError(f"{name} is declared twice", text=text, span=span)


def no_declaration() -> NotationError:
    return NotationError("no tensor is declared", hint='write for example: eb.tensors("X[n,d] W[d,c] b[c]")')


expected_tensor = fact("the name of a tensor is expected here", "write for example: X[n,d] W[d,c] b[c]")
expected_size = fact("a size is a name or a whole number")
expected_sizes = fact("sizes in brackets are expected here", "write for example: [n,d]")
one_declaration = fact("one tensor is expected", "eb.tensors declares several")


# Layers


def layer_statements(number: int) -> NotationError:
    return NotationError(f"a layer is one line, and this has {number}", hint="write longer programs with eb.program")


def too_many_arguments(given: int, slots: Sequence[str], text: str) -> ShapeError:
    return ShapeError(
        f"{count(given, 'argument')} for the {count(len(slots), 'tensor')} of the layer: {', '.join(slots)}",
        text=text,
        span=(0, len(text)),
    )


def unknown_slot(name: str, slots: Sequence[str], text: str) -> ShapeError:
    return ShapeError(
        f"the layer has no tensor {name}: its tensors are {', '.join(slots)}",
        text=text,
        span=(0, len(text)),
        hint=did_you_mean(name, slots),
    )


def lookup_as_parameter(name: str, text: str) -> NotationError:
    start = text.index(name)
    return NotationError(
        f"{name} says which entries are looked up: it is no parameter of the layer",
        text=text,
        span=(start, start + len(name)),
        hint=f"pass a tensor of whole numbers, {name}=..",
    )


def bound_slot_twice(name: str, text: str) -> ShapeError:
    return ShapeError(f"{name} is given by position and by name", text=text, span=(0, len(text)))


def parameter_with_ellipsis(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{name} is a parameter of the layer, and its term leaves its rank open",
        text=text,
        span=span,
        hint="write all its labels in place of the ellipsis",
    )
