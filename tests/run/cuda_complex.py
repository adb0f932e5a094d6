"""What the tests' compilers take for CuPy's header of complex numbers: its class and functions, no more than these.

Operators are of two complex numbers of one type, or of one with a real number of that type, as in CuPy's. Functions are
those of the C library on the host; for NVIDIA's compiler, which here only compiles, they stand for any.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DEVICE_COMPLEX", "HOST_COMPLEX", "INCLUDE"]

INCLUDE: Final = "#include <cupy/complex.cuh>"

_CLASS: Final = r"""
template <typename T> struct __align__(2 * sizeof(T)) complex {
    T x, y;
    __device__ complex() {}
    __device__ complex(const T &re) : x(re), y(0) {}
    __device__ complex(const T &re, const T &im) : x(re), y(im) {}
    template <typename S> __device__ complex(const complex<S> &z) : x(T(z.real())), y(T(z.imag())) {}
    __device__ T real() const { return x; }
    __device__ T imag() const { return y; }
    __device__ complex &operator+=(const complex &z) { x += z.x; y += z.y; return *this; }
};
#define COMPLEX template <typename T> __device__ inline
#define MIXED(sign) \
    COMPLEX complex<T> operator sign(const complex<T> &a, const T &b) { return a sign complex<T>(b); } \
    COMPLEX complex<T> operator sign(const T &a, const complex<T> &b) { return complex<T>(a) sign b; }
COMPLEX complex<T> operator+(const complex<T> &a, const complex<T> &b) { return complex<T>(a.x + b.x, a.y + b.y); }
COMPLEX complex<T> operator-(const complex<T> &a, const complex<T> &b) { return complex<T>(a.x - b.x, a.y - b.y); }
COMPLEX complex<T> operator*(const complex<T> &a, const complex<T> &b) {
    return complex<T>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}
COMPLEX complex<T> operator/(const complex<T> &a, const complex<T> &b) {  // scaled by 1 norm, as CuPy's
    T s = 1 / (fabs(b.x) + fabs(b.y)), ax = a.x * s, ay = a.y * s, bx = b.x * s, by = b.y * s;
    T r = 1 / (bx * bx + by * by);
    return complex<T>((ax * bx + ay * by) * r, (ay * bx - ax * by) * r);
}
COMPLEX complex<T> operator-(const complex<T> &a) { return complex<T>(-a.x, -a.y); }
COMPLEX complex<T> operator+(const complex<T> &a) { return a; }
MIXED(+) MIXED(-) MIXED(*) MIXED(/)
COMPLEX bool operator==(const complex<T> &a, const complex<T> &b) { return a.x == b.x && a.y == b.y; }
COMPLEX bool operator!=(const complex<T> &a, const complex<T> &b) { return !(a == b); }
COMPLEX complex<T> conj(const complex<T> &z) { return complex<T>(z.x, -z.y); }
COMPLEX T abs(const complex<T> &z) { return hypot(z.x, z.y); }
"""

_FUNCTIONS: Final = ["exp", "log", "sqrt", *(f"{arc}{name}{h}" for name in ("sin", "cos", "tan") for arc in ("", "a")
                     for h in ("", "h"))]  # fmt: skip


def _on_host(name: str) -> str:
    """A function of the C library."""
    made = []
    for kind, suffix in (("double", ""), ("float", "f")):
        made.append(
            f'extern "C" {kind} _Complex c{name}{suffix}({kind} _Complex);\n'
            f"inline complex<{kind}> {name}(const complex<{kind}> &z) {{\n"
            f"    {kind} _Complex r;\n    __real__ r = z.x;\n    __imag__ r = z.y;\n    r = c{name}{suffix}(r);\n"
            f"    return complex<{kind}>(__real__ r, __imag__ r);\n}}\n"
        )
    return "".join(made)


_LOG10: Final = """
COMPLEX complex<T> log10(const complex<T> &z) {
    complex<T> r = log(z);
    return complex<T>(r.x / T(2.302585092994045684), r.y / T(2.302585092994045684));
}
"""
HOST_COMPLEX: Final = _CLASS + "".join(map(_on_host, _FUNCTIONS)) + _LOG10
DEVICE_COMPLEX: Final = (
    _CLASS
    + "".join(
        f"COMPLEX complex<T> {name}(const complex<T> &z) {{ return complex<T>({name}(z.x), {name}(z.y)); }}\n"
        for name in _FUNCTIONS
    )
    + _LOG10
)
