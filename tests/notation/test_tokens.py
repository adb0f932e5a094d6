"""Tokens: kinds, spans, and where a line goes on."""

from einback.notation.tokens import tokenize


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokenize(text)][:-1]


def test_kinds() -> None:
    assert kinds("y = 2.5 x_1² ** -1e-3") == [
        ("name", "y"),
        ("operator", "="),
        ("number", "2.5"),
        ("name", "x_1"),
        ("superscript", "2"),
        ("operator", "^"),
        ("operator", "-"),
        ("number", "1e-3"),
    ]


def test_spans_point_into_the_text() -> None:
    text = "  ab'  + ⁻¹²  # rest"
    assert [text[slice(*token.span)] for token in tokenize(text)] == ["ab'", "+", "⁻¹²", ""]


def test_primes() -> None:
    (name, _) = tokenize("n′''″")
    assert (name.text, name.primes) == ("n", 5)


def test_glue() -> None:
    assert [token.glued for token in tokenize("f(x) (y)")] == [False, True, True, True, False, True, True, False]


def test_newlines_end_statements_only() -> None:
    assert [text for kind, text in kinds("a\n\n# note\nb") if kind == "newline"] == [""]
    for text in ("a +\nb", "a\n+ b", "(a\nb)", "x[a,\nb]", "a\n   # note\n* b"):
        assert "newline" not in [kind for kind, _ in kinds(text)], text


def test_aliases() -> None:
    assert [text for _, text in kinds("− · × ÷ ≤ ≥ ≠ ∞")] == ["-", "*", "*", "/", "<=", ">=", "!=", "inf"]


def test_numbers_next_to_names() -> None:
    assert [text for _, text in kinds("2x 2e 2e3x 1e5")] == ["2", "x", "2", "e", "2", "e3x", "1e5"]
