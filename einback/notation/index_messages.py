"""What the notation says about index brackets, the sizes of indices, and comparisons; see `messages`."""

from __future__ import annotations

from collections.abc import Sequence

from einback.errors import NotationError, ShapeError, Span
from einback.ir.sizes import Size
from einback.notation.messages import count, fact

# Brackets

_SUM = "an index position is a sum of indices, each times a whole number"
not_affine = fact(_SUM, "write for example: x[2*i+u-1]")
parenthesised = fact(_SUM, "write it without parentheses: x[2*i+2*u] for x[2*(i+u)]")
not_whole = fact("steps and offsets of indices are whole numbers", "write for example: x[2*i+u-1]")


def number_as_index(text: str, span: Span) -> NotationError:
    number = text[span[0] : span[1]]
    once = f"write x[p] (p == {number}) to read x at {number} only; " if number.isdigit() else ""
    return NotationError(
        "a number stands where an index is expected",
        text=text,
        span=span,
        hint=f"{once}sizes are declared with eb.tensors",
    )


def crowded(number: int, most: int, text: str, span: Span) -> NotationError:
    return NotationError(f"{number} indices in one position, and {most} is the most", text=text, span=span)


def no_step(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"index {name} does not move this position: its step is 0", text=text, span=span, hint="leave it out"
    )


def gather_in_sum(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"a tensor in an index position stands alone, and {name} is in a sum",
        text=text,
        span=span,
        hint="define the sum as a tensor of its own, and read that: moved[b] = token[b] + 1",
    )


deep_gather = fact("gathers are nested too deep", "define the inner one as a tensor of its own")
group_of_names = fact("a group is names of indices side by side", "write for example: x[n, (h w)]")
small_group = fact("a group has two indices or more", "write an index without parentheses")
misplaced_size = fact(
    "a size cannot be said here",
    "sizes are said on the left side, in reductions and in groups, as in y[t:5] or max[u:2](..), or given by keyword",
)


def bad_written_size(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"the size of {name} is neither a whole number nor a name", text=text, span=span, hint=f"write {name}:3"
    )


def affine_left(gather: bool, text: str, span: Span) -> NotationError:
    place = text[span[0] : span[1]]
    what = "reads a tensor" if gather else "computes an index"
    return NotationError(
        f"the left side {what}",
        text=text,
        span=span,
        hint=f"write an index on the left, and on the right a delta that ties it: y[p] = .. δ[p, {place}]",
    )


def affine_in_function(fn: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{fn} goes over indices by their names", text=text, span=span, hint=f"write for example: {fn}[i,j](..)"
    )


def affine_ones(text: str, span: Span) -> NotationError:
    return NotationError("a tensor of ones is read at plain indices", text=text, span=span)


def affine_delta(text: str, span: Span) -> NotationError:
    return NotationError(
        "one of the two positions of a delta is the name of an index",
        text=text,
        span=span,
        hint="write δ[p, ..] δ[p, ..] for two positions that meet",
    )


# Whole numbers


def gather_by_no_tensor(name: str, text: str, span: Span) -> NotationError:
    return NotationError(f"{name} stands in an index position, and is no tensor", text=text, span=span)


def gather_by(name: str, what: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{name} stands in an index position, and is {what}",
        text=text,
        span=span,
        hint='whole numbers are declared: eb.tensor("token[b,t]", integer=True)',
    )


# Comparisons


def index_as_value(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{name} is an index, and an index is not a value",
        text=text,
        span=span,
        hint=f"write size({name}) for its length; it is a number in comparisons only, as in where({name} > 0, ..)",
    )


def index_and_tensor(name: str, text: str, span: Span) -> NotationError:
    return NotationError(
        f"{name} is both an index and a tensor, and either could be compared",
        text=text,
        span=span,
        hint="give one of the two another name",
    )


# Sizes


def unknown_sizes(names: Sequence[str], text: str, span: Span) -> NotationError:
    last, one = names[-1], len(names) == 1
    listed = " and ".join(names) if len(names) < 5 else f"{', '.join(names[:3])} and others"
    return NotationError(
        f"the {'size' if one else 'sizes'} of {listed} {'is' if one else 'are'} not known here",
        text=text,
        span=span,
        hint=f"write {last}:3 where {last} is bound, on the left or as in sum[{last}:3](..), "
        f"or give its size by keyword, {last}=3",
    )


def clashing_ranges(name: str, first: Size, second: Size, text: str, span: Span) -> NotationError:
    return NotationError(
        f"index {name} could have the size {first} or {second}",
        text=text,
        span=span,
        hint=f"write {name}:3 where {name} is bound, or give its size by keyword, {name}=3",
    )


def leaves_axis(tensor: str, last: Size, size: Size, beyond: int, whole: str, text: str, span: Span) -> ShapeError:
    """`whole` is an index of the position that reads the axis elsewhere by itself, and so runs over all of it."""
    place = text[span[0] : span[1]]
    if isinstance(last, int) and isinstance(size, int):
        fact = f"the index {place} goes up to {last}, and this axis of {tensor} has {count(size, 'entry')}"
    else:
        fact = f"the index {place} goes {beyond} beyond the end of this axis of {tensor}"
    hint = "give it fewer values; only an index with a minus sign, as in x[i+u-1], may leave its axis"
    if whole:
        hint = (
            f"{tensor}[{whole}] lets {whole} run over the whole axis; "
            f"written {tensor}[{whole}+0], it stops where {place} does"
        )
    return ShapeError(fact, text=text, span=span, hint=hint)


def no_room(name: str, tensor: str, size: Size, text: str, span: Span) -> ShapeError:
    return ShapeError(
        f"no value of {name} fits: {text[span[0] : span[1]]} is longer than this axis of {tensor}, of size {size}",
        text=text,
        span=span,
    )


def not_a_product(tensor: str, size: int, product: int, text: str, span: Span) -> ShapeError:
    return ShapeError(
        f"the group {text[span[0] : span[1]]} has {product} entries, and this axis of {tensor} has {size}",
        text=text,
        span=span,
    )
