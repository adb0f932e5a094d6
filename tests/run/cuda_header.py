"""What stands above the text of a CUDA kernel that the host compiles: CUDA's words and functions, in C++.

Only what a kernel has without any header is there, so that what nvrtc refuses is mostly refused here too.
"""

from __future__ import annotations

from typing import Final

__all__ = ["HEADER", "HOST_HALF", "launcher"]

_HEAD: Final = r"""
typedef decltype(sizeof 0) size_t;
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
extern "C" {
extern uint3 emu_thread, emu_block;
extern dim3 emu_block_size, emu_grid_size;
extern unsigned emu_lane;
void emu_barrier(int);
unsigned long long emu_exchange(int, unsigned, unsigned, unsigned long long);
int emu_launch(void (*)(void **), void **, const unsigned *, char *, size_t);
extern char __start_emu_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_emu_shared[] __attribute__((weak, visibility("hidden")));
}
#define threadIdx emu_thread
#define blockIdx emu_block
#define blockDim emu_block_size
#define gridDim emu_grid_size
#define warpSize 32
#define __global__ __attribute__((used))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ __attribute__((section("emu_shared"))) static
#define __syncthreads() emu_barrier(__LINE__)
#define __syncwarp(...) emu_exchange(__LINE__, emu::mask_of(__VA_ARGS__), emu_lane, 0)
#define __shfl_sync(...) emu::shuffle<emu::Idx>(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emu::shuffle<emu::Xor>(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emu::shuffle<emu::Down>(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emu::shuffle<emu::Up>(__LINE__, __VA_ARGS__)
#define __threadfence() ((void)0)
#define __threadfence_block() ((void)0)

namespace emu {
inline unsigned mask_of(unsigned mask = 0xffffffffu) { return mask; }

template <typename To, typename From> inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

// Where a lane reads, in its group of lanes; where that is outside of the group, it reads itself.
struct Idx { static int of(int lane, int by, int width) { return lane / width * width + by % width; } };
struct Xor {
    static int of(int lane, int by, int width) { return (lane ^ by) / width > lane / width ? lane : lane ^ by; }
};
struct Down { static int of(int lane, int by, int width) { return lane % width + by < width ? lane + by : lane; } };
struct Up { static int of(int lane, int by, int width) { return lane % width >= by ? lane - by : lane; } };

template <typename T> struct Shuffled { static const bool yes = false; };
#define EMU_SHUFFLED(T) template <> struct Shuffled<T> { static const bool yes = true; };
EMU_SHUFFLED(int) EMU_SHUFFLED(unsigned) EMU_SHUFFLED(long) EMU_SHUFFLED(unsigned long) EMU_SHUFFLED(long long)
EMU_SHUFFLED(unsigned long long) EMU_SHUFFLED(float) EMU_SHUFFLED(double)

template <typename Where, typename T> inline T shuffle(int line, unsigned mask, T value, int by, int width = 32) {
    static_assert(Shuffled<T>::yes, "shuffles are of int, unsigned, long, long long, float and double");
    unsigned long long bits = 0, got;
    __builtin_memcpy(&bits, &value, sizeof value);
    got = emu_exchange(line, mask, Where::of(emu_lane, by, width), bits);
    __builtin_memcpy(&value, &got, sizeof value);
    return value;
}

// A kernel's arguments are read from their addresses, as CUDA does. The result is 0, 1 after an error of the kernel's,
// and minus what is wrong where the arguments are not the kernel's: their number, or the place of one too small.
template <auto kernel> struct Launch;
template <typename... Ts, void (*kernel)(Ts...)> struct Launch<kernel> {
    template <size_t...> struct Places {};
    template <size_t n, size_t... ks> struct Upto : Upto<n - 1, n - 1, ks...> {};
    template <size_t... ks> struct Upto<0, ks...> { typedef Places<ks...> places; };
    template <size_t... ks> static void call(void **args, Places<ks...>) { kernel(*(Ts *)args[ks]...); }
    static void body(void **args) { call(args, typename Upto<sizeof...(Ts)>::places()); }
    static int start(void **args, const unsigned *sizes, unsigned count, const unsigned *shape) {
        const size_t wanted[] = {sizeof(Ts)..., 0};
        if (count != sizeof...(Ts)) return -1;
        for (unsigned k = 0; k < count; ++k) if (sizes[k] < wanted[k]) return -2 - int(k);
        return emu_launch(body, args, shape, __start_emu_shared, __stop_emu_shared - __start_emu_shared);
    }
};
}
"""

_MATHEMATICS: Final = r"""
#define EMU_ONE(name) extern "C" double name(double); extern "C" float name##f(float); \
    inline float name(float x) { return name##f(x); }
#define EMU_TWO(name) extern "C" double name(double, double); extern "C" float name##f(float, float); \
    inline float name(float x, float y) { return name##f(x, y); }
#define EMU_MIXED(name) EMU_TWO(name) \
    inline double name(float x, double y) { return name(double(x), y); } \
    inline double name(double x, float y) { return name(x, double(y)); }
EMU_ONE(exp) EMU_ONE(exp2) EMU_ONE(expm1) EMU_ONE(log) EMU_ONE(log2) EMU_ONE(log10) EMU_ONE(log1p) EMU_ONE(sqrt)
EMU_ONE(cbrt) EMU_ONE(sin) EMU_ONE(cos) EMU_ONE(tan) EMU_ONE(asin) EMU_ONE(acos) EMU_ONE(atan) EMU_ONE(sinh)
EMU_ONE(cosh) EMU_ONE(tanh) EMU_ONE(asinh) EMU_ONE(acosh) EMU_ONE(atanh) EMU_ONE(erf) EMU_ONE(erfc) EMU_ONE(lgamma)
EMU_ONE(tgamma) EMU_ONE(floor) EMU_ONE(ceil) EMU_ONE(trunc) EMU_ONE(rint) EMU_ONE(nearbyint) EMU_ONE(round)
EMU_ONE(fabs) EMU_TWO(atan2) EMU_TWO(hypot) EMU_TWO(copysign) EMU_TWO(fmod) EMU_TWO(remainder) EMU_TWO(fdim)
EMU_MIXED(pow) EMU_MIXED(fmax) EMU_MIXED(fmin)
extern "C" double fma(double, double, double);
extern "C" float fmaf(float, float, float);
inline float fma(float x, float y, float z) { return fmaf(x, y, z); }

#define EMU_FLOATING(T) \
    inline bool isnan(T x) { return __builtin_isnan(x); } \
    inline bool isinf(T x) { return __builtin_isinf(x); } \
    inline bool isfinite(T x) { return __builtin_isfinite(x); } \
    inline bool signbit(T x) { return __builtin_signbit(x); } \
    inline T max(T x, T y) { return fmax(x, y); } \
    inline T min(T x, T y) { return fmin(x, y); } \
    inline T abs(T x) { return fabs(x); } \
    inline T pow(T x, int y) { return pow(x, T(y)); } \
    inline T rsqrt(T x) { return 1 / sqrt(x); } \
    inline T rcbrt(T x) { return 1 / cbrt(x); } \
    inline T exp10(T x) { return pow(T(10), x); } \
    inline T normcdf(T x) { return erfc(-x * T(0.70710678118654752440)) / 2; } \
    inline void sincos(T x, T *s, T *c) { *s = sin(x); *c = cos(x); } \
    inline T atomicAdd(T *at, T by) { T old = *at; *at += by; return old; }
EMU_FLOATING(float) EMU_FLOATING(double)

#define EMU_WHOLE(T) \
    inline T max(T x, T y) { return x > y ? x : y; } \
    inline T min(T x, T y) { return x < y ? x : y; }
EMU_WHOLE(int) EMU_WHOLE(unsigned) EMU_WHOLE(long) EMU_WHOLE(unsigned long) EMU_WHOLE(long long)
EMU_WHOLE(unsigned long long)
#define EMU_COUNTED(T) inline T atomicAdd(T *at, T by) { T old = *at; *at += by; return old; }
EMU_COUNTED(int) EMU_COUNTED(unsigned) EMU_COUNTED(unsigned long long)
#define EMU_SIGNED(T) inline T abs(T x) { return x < 0 ? -x : x; }
EMU_SIGNED(int) EMU_SIGNED(long) EMU_SIGNED(long long)

#define EMU_FAST(fast, name) inline float fast(float x) { return name(x); }
EMU_FAST(rsqrtf, rsqrt) EMU_FAST(rcbrtf, rcbrt) EMU_FAST(exp10f, exp10) EMU_FAST(normcdff, normcdf)
EMU_FAST(__expf, exp) EMU_FAST(__logf, log) EMU_FAST(__sinf, sin) EMU_FAST(__cosf, cos) EMU_FAST(__log2f, log2)
inline float __powf(float x, float y) { return pow(x, y); }
inline float __fdividef(float x, float y) { return x / y; }
template <typename T> inline T __ldg(const T *at) { return *at; }
inline float __int_as_float(int x) { return emu::bits_as<float>(x); }
inline int __float_as_int(float x) { return emu::bits_as<int>(x); }
inline float __uint_as_float(unsigned x) { return emu::bits_as<float>(x); }
inline unsigned __float_as_uint(float x) { return emu::bits_as<unsigned>(x); }
inline double __longlong_as_double(long long x) { return emu::bits_as<double>(x); }
inline long long __double_as_longlong(double x) { return emu::bits_as<long long>(x); }
"""

HEADER: Final = _HEAD + _MATHEMATICS

HOST_HALF: Final = r"""
struct half {  // 16 bits, which are computed with as float; rounded to nearest, ties to even
    unsigned short bits;
    half() {}
    half(float x) {
        unsigned all = emu::bits_as<unsigned>(x), sign = all >> 16 & 0x8000, rest = all & 0x7fffffff;
        if (rest > 0x7f800000) bits = 0x7fff;  // NaN
        else if (rest >= 0x477ff000) bits = sign | 0x7c00;  // 65520 and more
        else if (rest < 0x38800000)  // a step of 2^-24, as floats at 0.5 have it
            bits = sign | (emu::bits_as<unsigned>(emu::bits_as<float>(rest) + 0.5f) - 0x3f000000);
        else bits = sign | (rest + 0xfff + (rest >> 13 & 1) - 0x38000000) >> 13;
    }
    operator float() const {
        unsigned sign = (bits & 0x8000u) << 16, rest = bits & 0x7fffu;
        unsigned all = emu::bits_as<unsigned>(emu::bits_as<float>(rest << 13) * 0x1p112f);
        return emu::bits_as<float>(sign | (rest < 0x7c00 ? all : rest << 13 | 0x7f800000));
    }
};
"""


def launcher(kernel: str) -> str:
    """The function by which a kernel is launched from Python, called `start_` and the kernel's name."""
    return (
        f'extern "C" int start_{kernel}(void **args, const unsigned *sizes, unsigned count, const unsigned *shape)'
        f" {{ return emu::Launch<{kernel}>::start(args, sizes, count, shape); }}\n"
    )
