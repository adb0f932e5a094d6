"""Names with scripts in plain text: W_1 with the indices d and c is W⁽¹⁾_dc, as LaTeX has W^{(1)}_{dc}.

Indices of one letter stand side by side, A_ij; where one has more letters, or a prime and neighbours, braces hold them
and commas part them, X_{n,d'}. So a text is read in one way only.

>>> tensor_text("W_1"), tensor_text("W_out"), tensor_text("lr"), script(["i", "j"]), script(["n'"]), script(["n", "n'"])
('W⁽¹⁾', 'W⁽ᵒᵘᵗ⁾', 'lr', 'ij', "n'", "{n,n'}")
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["raised", "script", "tensor_text"]

_PLAIN = "0123456789abcdefghijklmnoprstuvwxyz"
_RAISED = dict(zip(_PLAIN, "⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))


def tensor_text(name: str) -> str:
    """A tensor's name, what stands behind its first underscore raised in parentheses."""
    base, _, label = name.partition("_")
    if not base or not label:
        return name
    return f"{base}⁽{raised(label)}⁾" if _RAISED.keys() >= set(label) else f"{base}^({label})"


def raised(label: str) -> str:
    return "".join(_RAISED[char] for char in label)


def script(names: Sequence[str]) -> str:
    """Some indices as a subscript or a superscript."""
    if all(len(name) == 1 for name in names) or (len(names) == 1 and len(names[0].rstrip("'")) == 1):
        return "".join(names)
    return f"{{{','.join(names)}}}"
