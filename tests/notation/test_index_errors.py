"""Every message of index brackets, their sizes, and compared indices, by its full text."""

import inspect

import pytest

from einback.errors import EinbackError
from einback.ir.nodes import Input
from einback.notation.elaborate import elaborate

CASES = [
    (
        "A = B[3,3]",
        r"""
        a number stands where an index is expected
          A = B[3,3]
                ^
        write x[p] (p == 3) to read x at 3 only; sizes are declared with eb.tensors
        """,
    ),
    (
        "y[i] = x[2*i+u]",
        r"""
        the sizes of i and u are not known here
          y[i] = x[2*i+u]
                   ^^^^^
        write u:3 where u is bound, on the left or as in sum[u:3](..), or give its size by keyword, u=3
        """,
    ),
    (
        "y[i] = x[i+u]",
        r"""
        the sizes of i and u are not known here
          y[i] = x[i+u]
                   ^^^
        write u:3 where u is bound, on the left or as in sum[u:3](..), or give its size by keyword, u=3
        """,
    ),
    (
        "s = max[u,v](x[2*u+v])",
        r"""
        the sizes of u and v are not known here
          s = max[u,v](x[2*u+v])
                         ^^^^^
        write v:3 where v is bound, on the left or as in sum[v:3](..), or give its size by keyword, v=3
        """,
    ),
    (
        "y[p] = x[p-i]",
        r"""
        the sizes of p and i are not known here
          y[p] = x[p-i]
                   ^^^
        write i:3 where i is bound, on the left or as in sum[i:3](..), or give its size by keyword, i=3
        """,
    ),
    (
        "y[i] = x[i+u-1] K[u] + z[i+v] L[v]",
        r"""
        index i could have the size x_0-u+3 or z_0-v+1
          y[i] = x[i+u-1] K[u] + z[i+v] L[v]
                                   ^^^
        write i:3 where i is bound, or give its size by keyword, i=3
        """,
    ),
    (
        "y[i] = x[i] - x[i+1]",
        r"""
        the index i+1 goes 1 beyond the end of this axis of x
          y[i] = x[i] - x[i+1]
                          ^^^
        x[i] lets i run over the whole axis; written x[i+0], it stops where i+1 does
        """,
    ),
    (
        "y[i:5] = x[i+1] + sum[i:5](w[i] 1[i]) + sum[p:5](x[p])",
        r"""
        the index i+1 goes up to 5, and this axis of x has 5 entries
          y[i:5] = x[i+1] + sum[i:5](w[i] 1[i]) + sum[p:5](x[p])
                     ^^^
        give it fewer values; only an index with a minus sign, as in x[i+u-1], may leave its axis
        """,
    ),
    (
        "y[i:3] = sum[u:4](x[i+u]) + sum[p:3](x[p])",
        r"""
        the index i+u goes up to 5, and this axis of x has 3 entries
          y[i:3] = sum[u:4](x[i+u]) + sum[p:3](x[p])
                              ^^^
        give it fewer values; only an index with a minus sign, as in x[i+u-1], may leave its axis
        """,
    ),
    (
        "y[n] = x[(n m)]",
        r"""
        the sizes of n and m are not known here
          y[n] = x[(n m)]
                   ^^^^^
        write m:3 where m is bound, on the left or as in sum[m:3](..), or give its size by keyword, m=3
        """,
    ),
    (
        "y[n,m:4] = x[(n m)] sum[p:10](x[p])",
        r"""
        the group (n m) has 8 entries, and this axis of x has 10
          y[n,m:4] = x[(n m)] sum[p:10](x[p])
                       ^^^^^
        """,
    ),
    (
        "y[i,j:m] = x[(i j)] w[m]",
        r"""
        the size of i is not known here
          y[i,j:m] = x[(i j)] w[m]
                       ^^^^^
        write i:3 where i is bound, on the left or as in sum[i:3](..), or give its size by keyword, i=3
        """,
    ),
    (
        "y[a:3] = x[(a b:4)] + sum[b:4](z[(a b)] 1[b]) + sum[p:5](x[p])",
        r"""
        the group (a b:4) has 12 entries, and this axis of x has 5
          y[a:3] = x[(a b:4)] + sum[b:4](z[(a b)] 1[b]) + sum[p:5](x[p])
                     ^^^^^^^
        """,
    ),
    (
        "y[2*i] = x[i]",
        r"""
        the left side computes an index
          y[2*i] = x[i]
            ^^^
        write an index on the left, and on the right a delta that ties it: y[p] = .. δ[p, 2*i]
        """,
    ),
    (
        "y[i+1] = x[i]",
        r"""
        the left side computes an index
          y[i+1] = x[i]
            ^^^
        write an index on the left, and on the right a delta that ties it: y[p] = .. δ[p, i+1]
        """,
    ),
    (
        "y[t[b]] = x[b]",
        r"""
        the left side reads a tensor
          y[t[b]] = x[b]
            ^^^^
        write an index on the left, and on the right a delta that ties it: y[p] = .. δ[p, t[b]]
        """,
    ),
    (
        "y[i] = x[2*(i+u)] K[u]",
        r"""
        an index position is a sum of indices, each times a whole number
          y[i] = x[2*(i+u)] K[u]
                     ^
        write it without parentheses: x[2*i+2*u] for x[2*(i+u)]
        """,
    ),
    (
        "y[i] = x[i*j]",
        r"""
        an index position is a sum of indices, each times a whole number
          y[i] = x[i*j]
                     ^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[i/2]",
        r"""
        an index position is a sum of indices, each times a whole number
          y[i] = x[i/2]
                    ^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[i^2]",
        r"""
        an index position is a sum of indices, each times a whole number
          y[i] = x[i^2]
                    ^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[i²]",
        r"""
        an index position is a sum of indices, each times a whole number
          y[i] = x[i²]
                    ^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[2*3*i]",
        r"""
        the name of an index is missing here
          y[i] = x[2*3*i]
                     ^
        """,
    ),
    (
        "y[i] = x[0.5*i]",
        r"""
        steps and offsets of indices are whole numbers
          y[i] = x[0.5*i]
                   ^^^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[i+1e3]",
        r"""
        steps and offsets of indices are whole numbers
          y[i] = x[i+1e3]
                     ^^^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[i+9999999999999999999]",
        r"""
        steps and offsets of indices are whole numbers
          y[i] = x[i+9999999999999999999]
                     ^^^^^^^^^^^^^^^^^^^
        write for example: x[2*i+u-1]
        """,
    ),
    (
        "y[i] = x[i+0*u]",
        r"""
        index u does not move this position: its step is 0
          y[i] = x[i+0*u]
                   ^^^^^
        leave it out
        """,
    ),
    (
        "y[i] = x[i-i+2]",
        r"""
        index i does not move this position: its step is 0
          y[i] = x[i-i+2]
                   ^^^^^
        leave it out
        """,
    ),
    (
        "y[i] = x[-1]",
        r"""
        a number stands where an index is expected
          y[i] = x[-1]
                   ^^
        sizes are declared with eb.tensors
        """,
    ),
    (
        "y[i] = x[2+3]",
        r"""
        a number stands where an index is expected
          y[i] = x[2+3]
                   ^^^
        sizes are declared with eb.tensors
        """,
    ),
    (
        "y[i] = x[i+]",
        r"""
        the name of an index is missing here
          y[i] = x[i+]
                     ^
        """,
    ),
    (
        "y[i] = x[i++u]",
        r"""
        the name of an index is missing here
          y[i] = x[i++u]
                     ^
        """,
    ),
    (
        "y[i] = x[2*]",
        r"""
        the name of an index is missing here
          y[i] = x[2*]
                     ^
        """,
    ),
    (
        "y[i] = x[2*i+u",
        r"""
        this bracket [ is never closed
          y[i] = x[2*i+u
                  ^
        """,
    ),
    (
        "y[i] = x[2*i+",
        r"""
        this bracket [ is never closed
          y[i] = x[2*i+
                  ^
        """,
    ),
    (
        "y[i] = x[t[i]+1]",
        r"""
        a tensor in an index position stands alone, and t is in a sum
          y[i] = x[t[i]+1]
                       ^
        define the sum as a tensor of its own, and read that: moved[b] = token[b] + 1
        """,
    ),
    (
        "y[i] = x[2*t[i]]",
        r"""
        a tensor in an index position stands alone, and t is in a sum
          y[i] = x[2*t[i]]
                     ^
        define the sum as a tensor of its own, and read that: moved[b] = token[b] + 1
        """,
    ),
    (
        "y[i] = x[1+t[i]]",
        r"""
        a tensor in an index position stands alone, and t is in a sum
          y[i] = x[1+t[i]]
                     ^
        define the sum as a tensor of its own, and read that: moved[b] = token[b] + 1
        """,
    ),
    (
        "y[i] = x[t[i]",
        r"""
        this bracket [ is never closed
          y[i] = x[t[i]
                  ^
        """,
    ),
    (
        "y[i] = x[t'[i]]",
        r"""
        a tensor's name has no primes
          y[i] = x[t'[i]]
                   ^^
        primes belong to indices
        """,
    ),
    (
        "y[i] = E[ones[i]]",
        r"""
        ones stands in an index position, and is no tensor
          y[i] = E[ones[i]]
                   ^^^^^^^
        """,
    ),
    (
        "y[i] = E[δ[i,j]]",
        r"""
        δ stands in an index position, and is no tensor
          y[i] = E[δ[i,j]]
                   ^^^^^^
        """,
    ),
    (
        "y[i] = E[exp[i]]",
        r"""
        exp is a function
          y[i] = E[exp[i]]
                   ^^^^^^
        write exp(..)
        """,
    ),
    (
        "y[i] = E[t[i:3]]",
        r"""
        a size cannot be said here
          y[i] = E[t[i:3]]
                     ^
        sizes are said on the left side, in reductions and in groups, as in y[t:5] or max[u:2](..), or given by keyword
        """,
    ),
    (
        "y[i] = E[z[i]]\nz[i] = w[i]",
        r"""
        z stands in an index position, and is declared without integer=True
          line 1: y[i] = E[z[i]]
                           ^^^^
        whole numbers are declared: eb.tensor("token[b,t]", integer=True)
        """,
    ),
    (
        "y[i] = E[z[i]]\nz[i] = t[i] / 2\nu[i] = E[t[i]]",
        r"""
        z stands in an index position, and is not made of whole numbers alone
          line 1: y[i] = E[z[i]]
                           ^^^^
        whole numbers are declared: eb.tensor("token[b,t]", integer=True)
        """,
    ),
    (
        "y[i] = x[(i)]",
        r"""
        a group has two indices or more
          y[i] = x[(i)]
                   ^^^
        write an index without parentheses
        """,
    ),
    (
        "y[i] = x[()]",
        r"""
        a group has two indices or more
          y[i] = x[()]
                   ^^
        write an index without parentheses
        """,
    ),
    (
        "y[i] = x[(i+u)]",
        r"""
        a group is names of indices side by side
          y[i] = x[(i+u)]
                     ^
        write for example: x[n, (h w)]
        """,
    ),
    (
        "y[i] = x[(i, j)]",
        r"""
        a group is names of indices side by side
          y[i] = x[(i, j)]
                     ^
        write for example: x[n, (h w)]
        """,
    ),
    (
        "y[i] = x[(i 2)]",
        r"""
        a group is names of indices side by side
          y[i] = x[(i 2)]
                      ^
        write for example: x[n, (h w)]
        """,
    ),
    (
        "y[i] = x[(i t[j])]",
        r"""
        a group is names of indices side by side
          y[i] = x[(i t[j])]
                      ^
        write for example: x[n, (h w)]
        """,
    ),
    (
        "y[i] = x[(i j]",
        r"""
        this bracket ( is never closed
          y[i] = x[(i j]
                   ^
        """,
    ),
    (
        "y[i] = x[(i j)+1]",
        r"""
        a group is names of indices side by side
          y[i] = x[(i j)+1]
                        ^
        write for example: x[n, (h w)]
        """,
    ),
    (
        "y[i] = x[2*(i j)]",
        r"""
        an index position is a sum of indices, each times a whole number
          y[i] = x[2*(i j)]
                     ^
        write it without parentheses: x[2*i+2*u] for x[2*(i+u)]
        """,
    ),
    (
        "y[i] = x[i:3]",
        r"""
        a size cannot be said here
          y[i] = x[i:3]
                   ^
        sizes are said on the left side, in reductions and in groups, as in y[t:5] or max[u:2](..), or given by keyword
        """,
    ),
    (
        "y[i] = x[2*i:3]",
        r"""
        a size cannot be said here
          y[i] = x[2*i:3]
                      ^
        sizes are said on the left side, in reductions and in groups, as in y[t:5] or max[u:2](..), or given by keyword
        """,
    ),
    (
        "y[i] = x[i:3+u]",
        r"""
        the size of i is neither a whole number nor a name
          y[i] = x[i:3+u]
                      ^
        write i:3
        """,
    ),
    (
        "y[2*i:3] = x[i]",
        r"""
        a size cannot be said here
          y[2*i:3] = x[i]
               ^
        sizes are said on the left side, in reductions and in groups, as in y[t:5] or max[u:2](..), or given by keyword
        """,
    ),
    (
        "y[i:] = x[i]",
        r"""
        the size of i is neither a whole number nor a name
          y[i:] = x[i]
             ^
        write i:3
        """,
    ),
    (
        "y[i:x+1] = x[i]",
        r"""
        the size of i is neither a whole number nor a name
          y[i:x+1] = x[i]
               ^
        write i:3
        """,
    ),
    (
        "y[i:2.5] = x[i]",
        r"""
        the size of i is neither a whole number nor a name
          y[i:2.5] = x[i]
             ^
        write i:3
        """,
    ),
    (
        "y[i:-1] = x[i]",
        r"""
        the size of i is neither a whole number nor a name
          y[i:-1] = x[i]
             ^
        write i:3
        """,
    ),
    (
        "y[i:2] = x[i] w[i]\nz = sum[i:3](x[i])",
        r"""
        index i has sizes 2 and 3 as written
          line 2: z = sum[i:3](x[i])
                          ^
        """,
    ),
    (
        "y[i] = exp[2*i](x[i])",
        r"""
        exp works entry by entry and takes no indices
          y[i] = exp[2*i](x[i])
                 ^^^^^^^^^
        write exp(..)
        """,
    ),
    (
        "y = max[2*i](x[i])",
        r"""
        max goes over indices by their names
          y = max[2*i](x[i])
                  ^^^
        write for example: max[i,j](..)
        """,
    ),
    (
        "y[i] = softmax[i:3](x[i])",
        r"""
        a size cannot be said here
          y[i] = softmax[i:3](x[i])
                         ^
        sizes are said on the left side, in reductions and in groups, as in y[t:5] or max[u:2](..), or given by keyword
        """,
    ),
    (
        "y[i] = softmax[(i j)](x[i,j])",
        r"""
        softmax goes over indices by their names
          y[i] = softmax[(i j)](x[i,j])
                         ^^^^^
        write for example: softmax[i,j](..)
        """,
    ),
    (
        "y[i] = ones[2*i+u] x[i]",
        r"""
        a tensor of ones is read at plain indices
          y[i] = ones[2*i+u] x[i]
                 ^^^^^^^^^^^
        """,
    ),
    (
        "y[i] = 1[(i j)]",
        r"""
        a tensor of ones is read at plain indices
          y[i] = 1[(i j)]
                 ^^^^^^^^
        """,
    ),
    (
        "y[i] = δ[2*i, 3*i] x[i]",
        r"""
        one of the two positions of a delta is the name of an index
          y[i] = δ[2*i, 3*i] x[i]
                 ^^^^^^^^^^^
        write δ[p, ..] δ[p, ..] for two positions that meet
        """,
    ),
    (
        "y[i] = δ[t[i], (i j)] x[i]",
        r"""
        one of the two positions of a delta is the name of an index
          y[i] = δ[t[i], (i j)] x[i]
                 ^^^^^^^^^^^^^^
        write δ[p, ..] δ[p, ..] for two positions that meet
        """,
    ),
    (
        "y[i] = i x[i]",
        r"""
        i is an index, and an index is not a value
          y[i] = i x[i]
                 ^
        write size(i) for its length; it is a number in comparisons only, as in where(i > 0, ..)
        """,
    ),
    (
        "y[i] = x[i'] + i'",
        r"""
        i' is an index, and an index is not a value
          y[i] = x[i'] + i'
                         ^^
        write size(i') for its length; it is a number in comparisons only, as in where(i' > 0, ..)
        """,
    ),
    (
        "q = 3\ny[q] = x[q] (q > 2)",
        r"""
        q is both an index and a tensor, and either could be compared
          line 2: y[q] = x[q] (q > 2)
                               ^
        give one of the two another name
        """,
    ),
    (
        "s = x[i] (i > j) w[j'] + j",
        r"""
        j is an index, and an index is not a value
          s = x[i] (i > j) w[j'] + j
                                   ^
        write size(j) for its length; it is a number in comparisons only, as in where(j > 0, ..)
        """,
    ),
    (
        "s[i] = x[i] (i > j) + sum[j](w[j])",
        r"""
        index j is used up by sum[j](..) and cannot be used outside it
          s[i] = x[i] (i > j) + sum[j](w[j])
                           ^
        give one of the two another name
        """,
    ),
    (
        "s = a: 3",
        r"""
        the character : cannot stand here
          s = a: 3
               ^
        an index is no slice; the size of one stands behind it on the left: y[t:5]
        """,
    ),
    (
        "s: 3 = a",
        r"""
        = is missing behind the left side
          s: 3 = a
           ^
        write for example: y[n] = A[n,m] x[m]
        """,
    ),
    (
        "s = exp(x[2*i+u])",
        r"""
        the sizes of i and u are not known here
          s = exp(x[2*i+u])
                    ^^^^^
        write u:3 where u is bound, on the left or as in sum[u:3](..), or give its size by keyword, u=3
        """,
    ),
    (
        "s[i,j] = x[k,(i j)]",
        r"""
        the sizes of i and j are not known here
          s[i,j] = x[k,(i j)]
                       ^^^^^
        write j:3 where j is bound, on the left or as in sum[j:3](..), or give its size by keyword, j=3
        """,
    ),
    (
        "s = x[i,j] + x[(i j)]",
        r"""
        x has 2 axes on line 1, and is read with 1 index here
          s = x[i,j] + x[(i j)]
                       ^^^^^^^^
        """,
    ),
    (
        "s = exp(E[t[b]])",
        r"""
        the sum over b could stand inside or outside of exp(..)
          s = exp(E[t[b]])
                  ^^^^^^^
        write sum[b](E[t[b]]) inside, or sum[b](exp(E[t[b]])) around it
        """,
    ),
    (
        "s[i] = where(i > j, x[i], 0)\nt[j] = w[j]",
        r"""
        the sum over j could stand inside or outside of the comparison
          line 1: s[i] = where(i > j, x[i], 0)
                                   ^
        write sum[j](j) inside, or sum[j](i > j) around it
        """,
    ),
    (
        "s[q] = x[q] (k + 1 > q)\nt[k] = w[k]",
        r"""
        the sum over k could stand inside or outside of the comparison
          line 1: s[q] = x[q] (k + 1 > q)
                               ^
        write sum[k](k) inside, or sum[k]((k + 1 > q)) around it
        """,
    ),
]


@pytest.mark.parametrize(("text", "message"), CASES, ids=[repr(case[0]) for case in CASES])
def test_message(text: str, message: str) -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate(text)
    assert str(caught.value) == inspect.cleandoc(message)


def test_deep_gathers() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("y[i] = " + "t[" * 30 + "i" + "]" * 30)
    assert caught.value.fact == "gathers are nested too deep"
    assert caught.value.hint == "define the inner one as a tensor of its own"


def test_crowded_positions() -> None:
    names = [f"i{k}" for k in range(65)]
    for position in ("+".join(names), f"({' '.join(names)})"):
        with pytest.raises(EinbackError) as caught:
            elaborate(f"y = x[{position}]")
        assert caught.value.fact == "65 indices in one position, and 64 is the most"
    with pytest.raises(EinbackError) as caught:
        elaborate("y = x[a+b+c+d+e+f]")
    assert caught.value.fact == "the sizes of a, b, c and others are not known here"


def test_a_kernel_longer_than_the_axis() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("y[i] = x[i+u] K[u]", {"x": Input("x", (3,), ())}, {"u": 5})
    assert str(caught.value) == inspect.cleandoc(
        """
        no value of i fits: i+u is longer than this axis of x, of size 3
          y[i] = x[i+u] K[u]
                   ^^^
        """
    )


def test_a_given_tensor_that_is_no_whole_number() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("h[b,d] = E[t[b], d]", {"t": Input("T", ("b",), ())})
    assert str(caught.value) == inspect.cleandoc(
        """
        t stands in an index position, and is declared without integer=True
          h[b,d] = E[t[b], d]
                     ^^^^
        whole numbers are declared: eb.tensor("token[b,t]", integer=True)
        """
    )


def test_a_size_against_a_given_one() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("y[t:5] = x[t]", {"x": Input("x", (4,), ())})
    assert str(caught.value) == inspect.cleandoc(
        """
        index t has size 4 in x and size 5 as written
          y[t:5] = x[t]
            ^
        """
    )


def test_sizes_by_keyword_of_no_index() -> None:
    with pytest.raises(EinbackError) as caught:
        elaborate("y[i] = x[2*i+u]", sizes={"k": 3})
    assert caught.value.fact == "a size is given for k, but there is no index k"
