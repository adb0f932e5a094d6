"""The rewrite engine: bottom-up passes of rules until nothing changes.

A rule is a function of a node and what is known of its surroundings; it returns an equal node, or None
where it does not apply. A pass visits every node once, children first, and applies the rules of the node's
kind until none fires; passes repeat until one changes nothing. Sharing is counted when a pass begins. While
simplifying, a node that was made during the pass counts as shared: decisions that need a count wait for the
next pass, so they do not depend on the order in which nodes are visited. While merging, the program is in
normal form already and the order is its own, so a rebuilt node keeps the count of the one it replaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from einback.ir.build import add, exact
from einback.ir.nodes import Add, Node, Number
from einback.ir.walk import children, count_uses, postorder, rebuild, transform

__all__ = ["Rule", "Settled", "Surroundings", "flat_sums", "rewrite"]

_MOST_PASSES = 1000
_MOST_STEPS = 1000  # rules applied to one node in one pass


@dataclass(slots=True)
class Surroundings:
    """What a rule may ask about the program around a node."""

    uses: Counter[Node]
    merging: bool

    def once(self, node: Node) -> bool:
        """Whether a node is read in one place only (a node made during this pass is not known to be)."""
        return self.uses.get(node, 2) == 1

    def settled(self, node: Node) -> bool:
        """Whether a node stood when the pass began, so that the pass found nothing to change in it."""
        return node in self.uses


Rule = Callable[[Node, Surroundings], Node | None]
Rules = Mapping[type[Node], Sequence[Rule]]
Settled = MutableMapping[Node, Sequence[Rule]]  # the rules that left a node unchanged


@dataclass(slots=True)
class _Pass:
    """One pass. `local` rules look at a node alone, so what they leave unchanged is `settled` for good."""

    local: Rules
    sharing: Rules
    surroundings: Surroundings
    settled: Settled

    def visit(self, old: Node, node: Node) -> Node:
        final = self._exhaust(node)
        if self.surroundings.merging and final is not old:
            self.surroundings.uses[final] += self.surroundings.uses[old]
        return final

    def _exhaust(self, node: Node) -> Node:
        for _ in range(_MOST_STEPS):
            changed = None
            local = self.local.get(type(node), ())
            if self.settled.get(node) is not local:
                changed = self._first(local, node)
                if changed is None:
                    self.settled[node] = local
            if changed is None:
                changed = self._first(self.sharing.get(type(node), ()), node)
            if changed is None:
                return node
            node = changed
        raise AssertionError(f"rewriting {node!r} does not end")

    def _first(self, rules: Sequence[Rule], node: Node) -> Node | None:
        for rule in rules:
            changed = rule(node, self.surroundings)
            if changed is not None and changed is not node:
                return changed
        return None


def flat_sums(roots: Sequence[Node]) -> tuple[Node, ...]:
    """a + (b + (c + ..)) -> a + b + c + .., where nothing else reads the inner sums: in one walk, however deep."""
    uses = count_uses(roots)
    order = list(postorder(roots))
    inner = {t for node in order if isinstance(node, Add) for t in node.terms if isinstance(t, Add) and uses[t] == 1}
    new: dict[Node, Node] = {}
    for node in order:
        if not isinstance(node, Add):
            new[node] = rebuild(node, [new[child] for child in children(node)])
        elif node not in inner:
            new[node] = _collected(node, inner, new)
    return tuple(new[root] for root in roots)


def _collected(head: Add, inner: set[Add], new: Mapping[Node, Node]) -> Node:
    """A sum with the terms of the inner sums below it in their places."""
    terms: list[Node] = []
    weights: list[Number] = []
    stack: list[tuple[Node, Number]] = [(head, Fraction(1))]
    while stack:
        node, weight = stack.pop()
        if isinstance(node, Add) and (node is head or node in inner):
            parts = zip(node.terms, node.weights, strict=True)
            stack += [(term, exact(weight * own)) for term, own in parts][::-1]
        else:
            terms.append(new[node])
            weights.append(weight)
    return add(terms, weights)


def rewrite(
    roots: Sequence[Node], local: Rules, sharing: Rules, merging: bool, settled: Settled | None = None
) -> tuple[Node, ...]:
    """The roots in normal form under the rules; `settled` says which nodes local rules leave unchanged, and grows."""
    current = flat_sums(roots)
    settled = {} if settled is None else settled
    for _ in range(_MOST_PASSES):
        step = _Pass(local, sharing, Surroundings(count_uses(current), merging), settled)
        new = transform(current, step.visit)
        following = tuple(new[root] for root in current)
        if following == current:
            return current
        current = following
    raise AssertionError("rewriting does not end")
