"""What stands above the generated kernels, in CUDA C++ of their own; CuPy's complex numbers are the one header.

A kernel is launched over blocks of one dimension. Its threads lie in a rectangle of X by Y: X outer indices, and for
each of them Y threads that share the inner index, along which they reduce. Reductions add up in a fixed order, so that
results are bitwise the same at each run; maximum and minimum hand on NaN, as NumPy's do.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COMPLEX", "HALF", "PRELUDE"]

HALF: Final = """
struct half {  // 16 bits, which are computed with as float
    unsigned short bits;
    __device__ half() {}
    __device__ half(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
    __device__ operator float() const {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
};
"""

COMPLEX: Final = """
#include <cupy/complex.cuh>

template <typename T> __device__ T real_of(complex<T> z) { return z.real(); }
template <typename T> __device__ T imag_of(complex<T> z) { return z.imag(); }
template <typename T> __device__ complex<T> complex_of(T x, T y) { return complex<T>(x, y); }
template <typename T> __device__ complex<T> sign_of(complex<T> z) {
    T x = z.real(), y = z.imag(), r = abs(z);
    if (r == 0) return z;
    if (r < T(1.0 / 0.0)) return complex<T>(x / r, y / r);
    bool wide = fabs(x) == r, high = fabs(y) == r;  // infinite, or NaN
    if (wide == high) return complex<T>(T(0.0 / 0.0), T(0.0 / 0.0));
    return wide ? complex<T>(copysign(T(1), x), T(0)) : complex<T>(T(0), copysign(T(1), y));
}

template <typename T> __device__ complex<T> divided(complex<T> a, complex<T> b) {  // as NumPy does, after Smith (1962)
    T x = b.real(), y = b.imag();
    if (fabs(x) >= fabs(y)) {
        if (x == 0 && y == 0) return complex<T>(a.real() / fabs(x), a.imag() / fabs(x));
        T ratio = y / x, scale = 1 / (x + y * ratio);
        return complex<T>((a.real() + a.imag() * ratio) * scale, (a.imag() - a.real() * ratio) * scale);
    }
    T ratio = x / y, scale = 1 / (y + x * ratio);
    return complex<T>((a.real() * ratio + a.imag()) * scale, (a.imag() * ratio - a.real()) * scale);
}

template <typename T> __device__ complex<T> shuffled(complex<T> value, int step) {
    return complex<T>(
        __shfl_xor_sync(0xffffffffu, value.real(), step), __shfl_xor_sync(0xffffffffu, value.imag(), step)
    );
}

template <typename T> __device__ void atomicAdd(complex<T> *place, complex<T> value) {
    atomicAdd(reinterpret_cast<T *>(place), value.real());
    atomicAdd(reinterpret_cast<T *>(place) + 1, value.imag());
}
"""

PRELUDE: Final = """
template <typename T, int N> struct alignas(sizeof(T) * N) Pack { T at[N]; };  // N entries, loaded at once

struct Sum { template <typename T> static __device__ T of(T a, T b) { return a + b; } };
struct Prod { template <typename T> static __device__ T of(T a, T b) { return a * b; } };
struct Max { template <typename T> static __device__ T of(T a, T b) { return a > b || a != a ? a : b; } };
struct Min { template <typename T> static __device__ T of(T a, T b) { return a < b || a != a ? a : b; } };

template <typename T> __device__ T shuffled(T value, int step) {
    return (T)__shfl_xor_sync(0xffffffffu, +value, step);
}

// Over Y neighbouring threads, a power of two; all of them get the result.
template <typename Op, int Y, typename T> __device__ T along_row(T value, T *shared) {
    for (int step = (Y < 32 ? Y : 32) / 2; step > 0; step /= 2)
        value = Op::template of<T>(value, shuffled(value, step));
    if (Y > 32) {
        __syncthreads();
        if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
        __syncthreads();
        int first = threadIdx.x / Y * (Y / 32);
        value = shared[first];
        for (int k = 1; k < Y / 32; ++k) value = Op::of(value, shared[first + k]);
    }
    return value;
}

// Over Y threads that are X apart; all of them get the result.
template <typename Op, int X, int Y, typename T> __device__ T along_column(T value, T *shared) {
    __syncthreads();
    shared[threadIdx.x] = value;
    __syncthreads();
    int x = threadIdx.x % X;
    value = shared[x];
    for (int k = 1; k < Y; ++k) value = Op::of(value, shared[k * X + x]);
    return value;
}
"""
