"""What stands in an index bracket: `x[n, 2*i+u-1, (h w), token[b,t]]`.

    index     i        a name; `i:3` says its size as well
    affine    2*i+u-1  whole steps times indices, and a whole offset; `2 i` and `i*2` are 2*i
    group     (h w)    several indices as one, the last running fastest
    gather    t[b]     a tensor of whole numbers

A bare name is an index, whatever else has that name. The reader gathers equal indices (`i+i` is 2*i) and leaves
what may stand where to the bracket's owner.
"""

from __future__ import annotations

from typing import Final

from einback.errors import EinbackError
from einback.notation import index_messages, messages
from einback.notation.syntax import Affine, Group, Index, Place, Read
from einback.notation.tokens import Token, tokenize

__all__ = ["IndexReader"]

_LONGEST: Final = 18  # digits of a step, an offset or a size
_DEEPEST: Final = 20  # gathers within gathers
_MOST: Final = 64  # indices in one position: the axes that an array can have


class IndexReader:
    """A place in a list of tokens, and how index brackets are read from there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    @property
    def following(self) -> Token:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    @property
    def end(self) -> int:
        """Where the last token that was taken ends."""
        return self.tokens[self.at - 1].span[1]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def no_primes(self, name: Token) -> None:
        if name.primes:
            raise messages.primed_tensor(self.text, name.span)

    def places(self) -> tuple[Place, ...]:
        """A bracket, from its opening to its closing token."""
        opening = self.take()
        found: list[Place] = []
        if self.token.is_op("]"):
            self.take()
            return ()
        while True:
            found.append(self.position(opening))
            token = self.take()
            if token.is_op("]"):
                return tuple(found)
            if not token.is_op(","):
                raise self.after_position(token, found[-1], opening)

    def position(self, opening: Token) -> Place:
        if self.token.is_op("("):
            return self.group(opening)
        if self.token.kind == "name" and self.following.is_op("["):
            return self.gather()
        if self.token.kind == "name" and not self.following.is_op("+", "-", "*"):
            return self.index()
        return self.affine(opening)

    def index(self) -> Index:
        """A name, and the size behind it."""
        token = self.take()
        name = token.text + "'" * token.primes
        if not self.token.is_op(":"):
            return Index(name, token.span)
        colon, size = self.take(), self.take()
        if size.kind == "name":
            return Index(name, token.span, size.text)
        if size.kind != "number" or not size.text.isdigit() or len(size.text) > _LONGEST:
            raise index_messages.bad_written_size(name, self.text, colon.span)
        return Index(name, token.span, int(size.text))

    def gather(self) -> Read:
        token = self.take()
        self.no_primes(token)
        if self.depth == _DEEPEST:
            raise index_messages.deep_gather(self.text, token.span)
        self.depth += 1
        indices = self.places()
        self.depth -= 1
        if self.token.is_op("+", "-", "*"):
            raise index_messages.gather_in_sum(token.text, self.text, self.token.span)
        self.check_sizes(indices)
        return Read(token.text, indices, (token.span[0], self.end))

    def group(self, opening: Token) -> Group:
        start = self.take()
        found: list[Index] = []
        while not self.token.is_op(")"):
            if self.token.kind in ("end", "newline") or self.token.is_op("]", "="):
                raise messages.unclosed("(", self.text, start.span)
            if self.token.kind != "name" or self.following.is_op("["):
                raise index_messages.group_of_names(self.text, self.token.span)
            found.append(self.index())
        span = (start.span[0], self.take().span[1])
        if len(found) > _MOST:
            raise index_messages.crowded(len(found), _MOST, self.text, span)
        if len(found) < 2:
            raise index_messages.small_group(self.text, span)
        if self.token.is_op("+", "-", "*"):
            raise index_messages.group_of_names(self.text, self.token.span)
        return Group(tuple(found), span)

    # Affine indices

    def affine(self, opening: Token) -> Affine:
        start = self.token.span[0]
        indices: dict[str, Index] = {}
        steps: dict[str, int] = {}
        offset = 0
        sign = -1 if self.token.is_op("-") else 1
        if self.token.is_op("+", "-"):
            self.take()
        while True:
            number, index = self.step(opening)
            if index is None:
                offset += sign * number
            else:
                indices.setdefault(index.name, index)
                steps[index.name] = steps.get(index.name, 0) + sign * number
            if not self.token.is_op("+", "-"):
                break
            sign = -1 if self.take().text == "-" else 1
        span = (start, self.end)
        if len(indices) > _MOST:
            raise index_messages.crowded(len(indices), _MOST, self.text, span)
        if not indices:
            raise index_messages.number_as_index(self.text, span)
        for name, step in steps.items():
            if not step:
                raise index_messages.no_step(name, self.text, span)
        return Affine(tuple(indices.values()), tuple(steps.values()), offset, span)

    def step(self, opening: Token) -> tuple[int, Index | None]:
        """A number, or a whole number times an index."""
        token = self.take()
        if token.kind == "number":
            number = self.whole(token)
            times = self.token.is_op("*")
            if times:
                self.take()
            if self.token.kind == "name":
                return number, self.plain(self.take())
            if times:
                raise self.no_index(self.token, opening)
            return number, None
        if token.kind != "name":
            raise self.no_index(token, opening)
        index = self.plain(token)
        if not self.token.is_op("*"):
            return 1, index
        self.take()
        if self.token.kind != "number":
            raise index_messages.not_affine(self.text, self.token.span)
        return self.whole(self.take()), index

    def plain(self, token: Token) -> Index:
        """An index within an affine one, which says no size."""
        if self.token.is_op("["):
            raise index_messages.gather_in_sum(token.text, self.text, token.span)
        if self.token.is_op(":"):
            raise index_messages.misplaced_size(self.text, self.token.span)
        return Index(token.text + "'" * token.primes, token.span)

    def whole(self, token: Token) -> int:
        if not token.text.isdigit() or len(token.text) > _LONGEST:
            raise index_messages.not_whole(self.text, token.span)
        return int(token.text)

    # Faults

    def check_sizes(self, places: tuple[Place, ...]) -> None:
        """What a tensor is read at says no sizes; a group may, for its sizes are more than the axis tells."""
        for place in places:
            if isinstance(place, Index) and place.size is not None:
                raise index_messages.misplaced_size(self.text, place.span)

    def no_index(self, token: Token, opening: Token) -> EinbackError:
        """What is wrong with a token that stands where an index is expected."""
        if token.kind in ("end", "newline") or token.is_op("="):
            return messages.unclosed("[", self.text, opening.span)
        if token.is_op("("):
            return index_messages.parenthesised(self.text, token.span)
        return messages.expected_index(self.text, token.span)

    def after_position(self, token: Token, place: Place, opening: Token) -> EinbackError:
        """What is wrong with a token that stands behind a position in place of a comma or a bracket."""
        if token.is_op("*", "/", "^") or token.kind == "superscript":
            return index_messages.not_affine(self.text, token.span)
        if token.is_op(":"):
            return index_messages.misplaced_size(self.text, token.span)
        if token.is_op("+", "-") and isinstance(place, Index):
            return index_messages.bad_written_size(place.name, self.text, token.span)
        if token.kind in ("end", "newline") or token.is_op("=", ")"):
            return messages.unclosed("[", self.text, opening.span)
        return messages.expected_in_indices(self.text, token.span)
