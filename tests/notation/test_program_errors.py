"""Every message of index programs, by its full text."""

import inspect

import pytest

from einback.errors import EinbackError
from einback.notation.elaborate import elaborate

CASES = [
    (
        "",
        r"""
        there is no statement in the program
        write for example: y[n] = A[n,m] x[m]
        """,
    ),
    (
        "Z",
        r"""
        = is missing behind the left side
          Z
           ^
        write for example: y[n] = A[n,m] x[m]
        """,
    ),
    (
        "Z[n] =",
        r"""
        the right side is missing
          Z[n] =
               ^
        """,
    ),
    (
        "Z[n] =\nloss = 1",
        r"""
        the right side is missing
          line 1: Z[n] =
                       ^
        """,
    ),
    (
        "= 3",
        r"""
        a statement begins with the name of what it defines
          = 3
          ^
        write for example: y[n] = A[n,m] x[m]
        """,
    ),
    (
        "3 = x",
        r"""
        a statement begins with the name of what it defines
          3 = x
          ^
        write for example: y[n] = A[n,m] x[m]
        """,
    ),
    (
        "Z[n = x[n]",
        r"""
        this bracket [ is never closed
          Z[n = x[n]
           ^
        """,
    ),
    (
        "Z[n] = x[n",
        r"""
        this bracket [ is never closed
          Z[n] = x[n
                  ^
        """,
    ),
    (
        "Z[n] = (x[n]",
        r"""
        this bracket ( is never closed
          Z[n] = (x[n]
                 ^
        """,
    ),
    (
        "Z[n] = (x[n]\ns = 1",
        r"""
        this bracket ( is never closed
          line 1: Z[n] = (x[n]
                         ^
        """,
    ),
    (
        "Z[n] = x[n])",
        r"""
        ) cannot stand here
          Z[n] = x[n])
                     ^
        """,
    ),
    (
        "Z[n] = exp(",
        r"""
        this bracket ( is never closed
          Z[n] = exp(
                    ^
        """,
    ),
    (
        "Z[n] = exp()",
        r"""
        exp has no argument
          Z[n] = exp()
                 ^^^
        """,
    ),
    (
        "s = max(x, 0)",
        r"""
        max needs the indices that it goes over
          s = max(x, 0)
              ^^^^^^^^^
        write max[i](..), or maximum(a, b) entry by entry
        """,
    ),
    (
        "s = logsumexp(x)",
        r"""
        logsumexp needs the indices that it goes over
          s = logsumexp(x)
              ^^^^^^^^^^^^
        write logsumexp[i](..)
        """,
    ),
    (
        "s = exp[i](x[i])",
        r"""
        exp works entry by entry and takes no indices
          s = exp[i](x[i])
              ^^^^^^^^^^^^
        write exp(..)
        """,
    ),
    (
        "s = exp(a, b)",
        r"""
        exp takes 1 argument, and 2 are given
          s = exp(a, b)
              ^^^^^^^^^
        """,
    ),
    (
        "s = where(a, b)",
        r"""
        where takes 3 arguments, and 2 are given
          s = where(a, b)
              ^^^^^^^^^^^
        """,
    ),
    (
        "s = leaky_relu(a, b, c)",
        r"""
        leaky_relu takes 1 or 2 arguments, and 3 are given
          s = leaky_relu(a, b, c)
              ^^^^^^^^^^^^^^^^^^^
        """,
    ),
    (
        "s = sum[i](x[i], y[i])",
        r"""
        sum takes 1 argument, and 2 are given
          s = sum[i](x[i], y[i])
              ^^^^^^^^^^^^^^^^^^
        """,
    ),
    (
        "s[d] = softmax[c](x[d])",
        r"""
        softmax goes over index c, but its argument does not have it
          s[d] = softmax[c](x[d])
                         ^
        """,
    ),
    (
        "s = sum[i](x[j])",
        r"""
        sum goes over index i, but its argument does not have it
          s = sum[i](x[j])
                  ^
        """,
    ),
    (
        "s = qq(x)",
        r"""
        there is no function qq
          s = qq(x)
              ^^
        a product with a tensor qq needs a blank or * behind it
        """,
    ),
    (
        "s = sigmod(x[i])",
        r"""
        there is no function sigmod
          s = sigmod(x[i])
              ^^^^^^
        did you mean sigmoid?
        a product with a tensor sigmod needs a blank or * behind it
        """,
    ),
    (
        "s = sigmod(x, y)",
        r"""
        there is no function sigmod
          s = sigmod(x, y)
              ^^^^^^
        did you mean sigmoid?
        a product with a tensor sigmod needs a blank or * behind it
        """,
    ),
    (
        "s = exp",
        r"""
        exp is a function
          s = exp
              ^^^
        write exp(..)
        """,
    ),
    (
        "s = sum[i]",
        r"""
        sum is a function
          s = sum[i]
              ^^^^^^
        write sum[i](..)
        """,
    ),
    (
        "hidden[n] = x[n]\ns = hiden[n]",
        r"""
        hiden is not defined, and looks like hidden
          line 2: s = hiden[n]
                      ^^^^^^^^
        did you mean hidden? Rename hiden if it is another tensor
        """,
    ),
    (
        "W1[n] = x[n]\ns = Wl[n]",
        r"""
        Wl is not defined, and looks like W1
          line 2: s = Wl[n]
                      ^^^^^
        did you mean W1? Rename Wl if it is another tensor
        """,
    ),
    (
        "s = 1\ns = 2",
        r"""
        s is defined twice, first on line 1
          line 2: s = 2
                  ^
        """,
    ),
    (
        "a = b\nb = c\nc = a",
        r"""
        the definitions go in a circle: a -> b -> c -> a
          line 1: a = b
                  ^
        """,
    ),
    (
        "a = a",
        r"""
        a is defined by itself
          a = a
          ^
        """,
    ),
    (
        "s[i] = sum[i](x[i])",
        r"""
        index i is used up by sum[i](..) and cannot be used outside it
          s[i] = sum[i](x[i])
            ^
        give one of the two another name
        """,
    ),
    (
        "s = sum[i](x[i]) y[i]",
        r"""
        index i is used up by sum[i](..) and cannot be used outside it
          s = sum[i](x[i]) y[i]
                             ^
        give one of the two another name
        """,
    ),
    (
        "s = sum[i](x[i] sum[i](y[i]))",
        r"""
        index i is gone over twice at once
          s = sum[i](x[i] sum[i](y[i]))
                              ^
        give one of the two another name
        """,
    ),
    (
        "r[i] = softmax[i,i](x[i])",
        r"""
        index i is gone over twice at once
          r[i] = softmax[i,i](x[i])
                           ^
        give one of the two another name
        """,
    ),
    (
        "s[i,j] = x[i]",
        r"""
        index j stands on the left of s, but no term on the right has it
          s[i,j] = x[i]
              ^
        multiply by ones[j] to repeat the right side along j
        """,
    ),
    (
        "s = x[i] + x[i,j]",
        r"""
        x has 1 axis on line 1, and is read with 2 indices here
          s = x[i] + x[i,j]
                     ^^^^^^
        """,
    ),
    (
        "z[i] = x[i]\ns = z",
        r"""
        z has 1 axis on line 1, and is read with 0 indices here
          line 2: s = z
                      ^
        """,
    ),
    (
        "s = size(n)",
        r"""
        no tensor has an index n
          s = size(n)
                   ^
        """,
    ),
    (
        "s = x[items] + size(item)",
        r"""
        no tensor has an index item
          s = x[items] + size(item)
                              ^^^^
        did you mean items?
        """,
    ),
    (
        "s = size(3)",
        r"""
        size takes the name of one index
          s = size(3)
                   ^
        write for example: size(n)
        """,
    ),
    (
        "s = size(n",
        r"""
        this bracket ( is never closed
          s = size(n
                  ^
        """,
    ),
    (
        "s = x[n] / n",
        r"""
        n is an index, and an index is not a value
          s = x[n] / n
                     ^
        write size(n) for its length; it is a number in comparisons only, as in where(n > 0, ..)
        """,
    ),
    (
        "s = x.__class__",
        r"""
        the character . cannot stand here
          s = x.__class__
               ^
        names have no attributes here, and a number has one point
        """,
    ),
    (
        '__import__("os")',
        r"""
        __import__ is not a name for a tensor or an index
          __import__("os")
          ^^^^^^^^^^
        """,
    ),
    (
        "a;b",
        r"""
        the character ; cannot stand here
          a;b
           ^
        a statement ends with its line
        """,
    ),
    (
        "s = 'x'",
        r"""
        the character ' cannot stand here
          s = 'x'
              ^
        names are written without quotes; a prime stands right behind an index
        """,
    ),
    (
        "s = \\input{x}",
        r"""
        the character \ cannot stand here
          s = \input{x}
              ^
        names are written as they are, without a backslash
        """,
    ),
    (
        "s = <img onerror=1>",
        r"""
        a tensor or a number is missing here
          s = <img onerror=1>
              ^
        """,
    ),
    (
        "s = 2 3",
        r"""
        two numbers stand side by side
          s = 2 3
                ^
        write * between them
        """,
    ),
    (
        "s = 1.2.3",
        r"""
        two numbers stand side by side
          s = 1.2.3
                 ^^
        write * between them
        """,
    ),
    (
        "s = x.5",
        r"""
        the character . cannot stand here
          s = x.5
               ^
        names have no attributes here, and a number has one point
        """,
    ),
    (
        "s = 2[i]",
        r"""
        the number 2 has indices
          s = 2[i]
              ^
        write ones[..] times the number
        """,
    ),
    (
        "s = a < b < c",
        r"""
        comparisons do not chain
          s = a < b < c
                    ^
        write (a < b) (b < c) for a < b < c
        """,
    ),
    (
        "s = a = b",
        r"""
        a second = in one statement
          s = a = b
                ^
        write == to compare
        """,
    ),
    (
        "s = (a = b)",
        r"""
        a second = in one statement
          s = (a = b)
                 ^
        write == to compare
        """,
    ),
    (
        "s = W'",
        r"""
        a tensor's name has no primes
          s = W'
              ^^
        primes belong to indices
        """,
    ),
    (
        "s = a +",
        r"""
        a tensor or a number is missing here
          s = a +
                 ^
        """,
    ),
    (
        "s = a * * b",
        r"""
        a tensor or a number is missing here
          s = a * * b
                  ^
        """,
    ),
    (
        "s = a ^",
        r"""
        a tensor or a number is missing here
          s = a ^
                 ^
        """,
    ),
    (
        "s = ﬁ[i] + fi[i]",
        r"""
        fi and ﬁ are the same name after Unicode normalisation (NFKC)
          s = ﬁ[i] + fi[i]
                     ^^
        use one spelling, or two names that differ more
        """,
    ),
    (
        "s = √x",
        r"""
        √ needs a bracket behind it
          s = √x
              ^
        write √(..) or sqrt(..)
        """,
    ),
    (
        "s = (a, b)",
        r"""
        , cannot stand here
          s = (a, b)
                ^
        """,
    ),
    (
        "s = x[n d]",
        r"""
        a comma or ] is missing before this
          s = x[n d]
                  ^
        """,
    ),
    (
        "s = x[n,]",
        r"""
        the name of an index is missing here
          s = x[n,]
                  ^
        """,
    ),
    (
        "s = x[n]]",
        r"""
        ] cannot stand here
          s = x[n]]
                  ^
        """,
    ),
    (
        "s = x $ y",
        r"""
        the character $ cannot stand here
          s = x $ y
                ^
        """,
    ),
    (
        "s = x\u200by",
        r"""
        the character U+200B cannot stand here
          s = x?y
               ^
        """,
    ),
    (
        "s[i]() = 3",
        r"""
        = is missing behind the left side
          s[i]() = 3
              ^
        write for example: y[n] = A[n,m] x[m]
        """,
    ),
    (
        "s = exp(Z[i])",
        r"""
        the sum over i could stand inside or outside of exp(..)
          s = exp(Z[i])
                  ^^^^
        write sum[i](Z[i]) inside, or sum[i](exp(Z[i])) around it
        """,
    ),
    (
        "s = (Z[i])^2",
        r"""
        the sum over i could stand inside or outside of the power
          s = (Z[i])^2
               ^^^^
        write sum[i](Z[i]) inside, or sum[i]((Z[i])^2) around it
        """,
    ),
    (
        "v[n] = (X[n,d] - m[n])^2 / size(d)",
        r"""
        the sum over d could stand inside or outside of the power
          v[n] = (X[n,d] - m[n])^2 / size(d)
                  ^^^^^^
        write sum[d](X[n,d]) inside, or sum[d]((X[n,d] - m[n])^2) around it
        """,
    ),
    (
        "s = 2^(x[i])",
        r"""
        the sum over i could stand inside or outside of the power
          s = 2^(x[i])
                 ^^^^
        write sum[i](x[i]) inside, or sum[i](2^(x[i])) around it
        """,
    ),
    (
        "s = x[i] / (y[j])",
        r"""
        the sum over j could stand inside or outside of the quotient
          s = x[i] / (y[j])
                      ^^^^
        write sum[j](y[j]) inside, or sum[j](x[i] / (y[j])) around it
        """,
    ),
    (
        "s = log(p[i] / q[i])",
        r"""
        the sum over i could stand inside or outside of log(..)
          s = log(p[i] / q[i])
                  ^^^^^^^^^^^
        write sum[i](p[i] / q[i]) inside, or sum[i](log(p[i] / q[i])) around it
        """,
    ),
    (
        "s = sqrt(x[i]^2)",
        r"""
        the sum over i could stand inside or outside of sqrt(..)
          s = sqrt(x[i]^2)
                   ^^^^^^
        write sum[i](x[i]^2) inside, or sum[i](sqrt(x[i]^2)) around it
        """,
    ),
    (
        "s = x[i] > 0",
        r"""
        the sum over i could stand inside or outside of the comparison
          s = x[i] > 0
              ^^^^
        write sum[i](x[i]) inside, or sum[i](x[i] > 0) around it
        """,
    ),
    (
        "s = exp(S[i,i])",
        r"""
        the sum over i could stand inside or outside of exp(..)
          s = exp(S[i,i])
                  ^^^^^^
        write sum[i](S[i,i]) inside, or sum[i](exp(S[i,i])) around it
        """,
    ),
    (
        "s = maximum(x[i], y[j])",
        r"""
        the sum over i could stand inside or outside of maximum(..)
          s = maximum(x[i], y[j])
                      ^^^^
        write sum[i](x[i]) inside, or sum[i](maximum(x[i], y[j])) around it
        """,
    ),
    (
        "s = log(1 + exp((x[i] + y[i]) a))",
        r"""
        the sum over i could stand inside or outside of exp(..)
          s = log(1 + exp((x[i] + y[i]) a))
                          ^^^^^^^^^^^^^^^
        write sum[i]((x[i] + y[i]) a) inside, or sum[i](exp((x[i] + y[i]) a)) around it
        """,
    ),
    (
        "s = max[i](A[i,j])",
        r"""
        the sum over j could stand inside or outside of max(..)
          s = max[i](A[i,j])
                     ^^^^^^
        write sum[j](A[i,j]) inside, or sum[j](max[i](A[i,j])) around it
        """,
    ),
    (
        "s = -Y[c] log_softmax[c](Z[n,c])",
        r"""
        the sum over n could stand inside or outside of log_softmax(..)
          s = -Y[c] log_softmax[c](Z[n,c])
                                   ^^^^^^
        write sum[n](Z[n,c]) inside, or sum[n](log_softmax[c](Z[n,c])) around it
        """,
    ),
    (
        "s = exp(another_long_name[i,j] - the_mean_of_it - the_variance_of_it)",
        r"""
        the sum over i,j could stand inside or outside of exp(..)
          s = exp(another_long_name[i,j] - the_mean_of_it - the_variance_of_it)
                  ^^^^^^^^^^^^^^^^^^^^^^
        write sum[i,j](..) inside, or sum[i,j](..) around it
        """,
    ),
    (
        "s = a[i] + b[i] + c",
        r"""
        a sum over i would add up this term size(i) times, for it has no i
          s = a[i] + b[i] + c
                            ^
        write sum[i](..) around what is summed
        """,
    ),
    (
        "s = c ((a[i] + 1) + b[i])",
        r"""
        a sum over i would add up this term size(i) times, for it has no i
          s = c ((a[i] + 1) + b[i])
                         ^
        write sum[i](..) around what is summed
        """,
    ),
    (
        "s[j] = sum[k](A[i,j,k] + B[i,j,k] + C[j,k])",
        r"""
        a sum over i would add up this term size(i) times, for it has no i
          s[j] = sum[k](A[i,j,k] + B[i,j,k] + C[j,k])
                                              ^^^^^^
        write sum[i](..) around what is summed
        """,
    ),
    (
        "s[n,c] = softmx[c](Z[n,c])",
        r"""
        there is no function softmx
          s[n,c] = softmx[c](Z[n,c])
                   ^^^^^^^^^
        did you mean softmax?
        a product with a tensor softmx needs a blank or * behind it
        """,
    ),
    (
        "s = norm[n](x[n])",
        r"""
        there is no function norm
          s = norm[n](x[n])
              ^^^^^^^
        a product with a tensor norm needs a blank or * behind it
        """,
    ),
    (
        "Z[n] += X[n]",
        r"""
        += is not supported: every name is defined once
          Z[n] += X[n]
               ^^
        give the result a name of its own, with =
        """,
    ),
    (
        "s = 1 / x[i]",
        r"""
        the sum over i could stand inside or outside of the quotient
          s = 1 / x[i]
                  ^^^^
        write sum[i](x[i]) inside, or sum[i](1 / x[i]) around it
        """,
    ),
    (
        "p[c] = e[c] / e[k]",
        r"""
        the sum over k could stand inside or outside of the quotient
          p[c] = e[c] / e[k]
                        ^^^^
        write sum[k](e[k]) inside, or sum[k](e[c] / e[k]) around it
        """,
    ),
    (
        "s = b / (x[i] + y[i])",
        r"""
        the sum over i could stand inside or outside of the quotient
          s = b / (x[i] + y[i])
                  ^^^^^^^^^^^^^
        write sum[i](x[i] + y[i]) inside, or sum[i](b / (x[i] + y[i])) around it
        """,
    ),
    (
        "h[n,k] = relu(x[n,d] W[d,k]) sigmoid(x[n,d] V[d,k])",
        r"""
        the sum over d could end in this product, or take in the other places of d too
          h[n,k] = relu(x[n,d] W[d,k]) sigmoid(x[n,d] V[d,k])
                        ^^^^^^^^^^^^^
        use an index of its own for each sum, or write sum[d](..) around what is summed
        """,
    ),
    (
        "h[n,k] = relu(x[n,d] W[d,k]) + x[n,d] V[d,k]",
        r"""
        the sum over d could end in this product, or take in the other places of d too
          h[n,k] = relu(x[n,d] W[d,k]) + x[n,d] V[d,k]
                        ^^^^^^^^^^^^^
        use an index of its own for each sum, or write sum[d](..) around what is summed
        """,
    ),
    (
        "r = x[i] A[i,j] x[j] / (x[i] x[i])",
        r"""
        the sum over i could end in this product, or take in the other places of i too
          r = x[i] A[i,j] x[j] / (x[i] x[i])
                                  ^^^^^^^^^
        use an index of its own for each sum, or write sum[i](..) around what is summed
        """,
    ),
    (
        "s = (x[i] y[i]) (z[i] w[i])",
        r"""
        the sum over i could end in this product, or take in the other places of i too
          s = (x[i] y[i]) (z[i] w[i])
               ^^^^^^^^^
        use an index of its own for each sum, or write sum[i](..) around what is summed
        """,
    ),
    (
        "s = w[i] (a[i] b[i] > 0)",
        r"""
        the sum over i could end in this product, or take in the other places of i too
          s = w[i] (a[i] b[i] > 0)
                    ^^^^^^^^^
        use an index of its own for each sum, or write sum[i](..) around what is summed
        """,
    ),
    (
        "s = (a[i] b[i] + c[i] d[i])^2",
        r"""
        the sum over i could end in this product, or take in the other places of i too
          s = (a[i] b[i] + c[i] d[i])^2
               ^^^^^^^^^
        use an index of its own for each sum, or write sum[i](..) around what is summed
        """,
    ),
    (
        "Z[n] /= X[n]",
        r"""
        /= is not supported: every name is defined once
          Z[n] /= X[n]
               ^^
        give the result a name of its own, with =
        """,
    ),
]


@pytest.mark.parametrize(("text", "message"), CASES, ids=[repr(case[0]) for case in CASES])
def test_message(text: str, message: str) -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate(text)
    assert str(caught.value) == inspect.cleandoc(message)


def test_not_a_string() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate(None)  # type: ignore[arg-type]
    assert str(caught.value) == "a string is expected, not NoneType"


def test_a_long_integer() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("s = " + "9" * 5000)
    assert caught.value.fact == "a number of 5000 digits"
    assert caught.value.hint == "write it as 1e300, or less"
