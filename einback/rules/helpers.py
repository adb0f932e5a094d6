"""NumPy source of the helpers that some rows of the scalar table need: the generated program holds them as they are."""

from __future__ import annotations

__all__ = ["ABOVE", "COMPLEX", "ERF"]

ERF = '''
def erf(x):
    """The error function: rational functions near and far (W. Cody, Mathematics of Computation 23, 1969)."""
    x = np.asarray(x)
    dtype = x.dtype if x.dtype.kind == "f" else np.float64
    x = x.astype(np.float64, copy=False)
    y = np.minimum(np.abs(x), 7)
    square = y * y
    near = x * _polynomial(_NEAR, square) / _polynomial(_BELOW_NEAR, square)
    far = 1 - np.exp(-square) * _polynomial(_FAR, y) / _polynomial(_BELOW_FAR, y)
    return np.where(y < 0.46875, near, np.copysign(far, x)).astype(dtype)


def _polynomial(coefficients, x):
    total = np.full_like(x, coefficients[0])
    for number in coefficients[1:]:
        total *= x
        total += number
    return total


_NEAR = (0.185777706184603153, 3.1611237438705656, 113.864154151050156, 377.485237685302021, 3209.37758913846947)
_BELOW_NEAR = (1, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)
_FAR = (
    *(2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131),
    *(881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725),
)
_BELOW_FAR = (
    *(1, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019),
    *(3290.79923573345963, 4362.61909014324716, 3439.36767414372164, 1230.33935480374942),
)
'''

ABOVE = '''
def above(x, y):
    """1 where x > y, 1/2 where they tie, 0 elsewhere."""
    dtype = np.result_type(x, y)
    return ((x > y) + 0.5 * (x == y)).astype(dtype if dtype.kind == "f" else np.float64)
'''

COMPLEX = '''
def complex_of(x, y):
    """x + iy, where infinities and NaN stay in their part."""
    z = np.empty(np.broadcast(x, y).shape, np.result_type(x, y, np.complex64))
    z.real, z.imag = x, y
    return z[()]
'''
