// What generated kernels are made of: vectors of W numbers, and functions of them.
//
// All functions are the same in every lane and for every number of lanes; none of them relies on -ffast-math: NaN,
// infinities and signed zeros are those of IEEE 754. A product is joined with a sum only where `fma` says so (the
// compiler must not: -ffp-contract=off), so that a value does not depend on where in a kernel it is computed.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "xla/ffi/api/c_api.h"

namespace {

#define INLINE inline __attribute__((always_inline))

// Bytes of a vector register, and of the widest number in this kernel.
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
constexpr int kRegister = 64;
#elif defined(__AVX2__)
constexpr int kRegister = 32;
#else
constexpr int kRegister = 16;
#endif
#ifndef WIDEST
#define WIDEST 4
#endif
constexpr int W = kRegister / WIDEST;

typedef float f32 __attribute__((vector_size(4 * W)));
typedef double f64 __attribute__((vector_size(8 * W)));
typedef int32_t i32 __attribute__((vector_size(4 * W)));
typedef uint32_t u32 __attribute__((vector_size(4 * W)));
typedef int64_t i64 __attribute__((vector_size(8 * W)));
typedef uint64_t u64 __attribute__((vector_size(8 * W)));
typedef int8_t i8 __attribute__((vector_size(W)));
// A bool is 0 or -1 in a lane of the widest kind.
typedef std::conditional_t<WIDEST == 8, i64, i32> mask;

template <typename V>
using lane = std::remove_cv_t<std::remove_reference_t<decltype(V{}[0])>>;

// The signed integers that have as many bits as the lanes of V.
template <typename V>
using signed_of = std::conditional_t<sizeof(lane<V>) == 8, i64, i32>;

template <typename V>
INLINE V splat(lane<V> x) {
  return V{} + x;
}

template <typename To, typename From>
INLINE To bits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  return (To)x;
}

template <typename V>
INLINE V from_bits(std::conditional_t<sizeof(lane<V>) == 8, uint64_t, uint32_t> x) {
  lane<V> y;
  std::memcpy(&y, &x, sizeof y);
  V out;
  for (int i = 0; i < W; ++i) out[i] = y;
  return out;
}

template <typename V>
INLINE V load(const lane<V>* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <typename V>
INLINE void store(lane<V>* p, V v) {
  std::memcpy(p, &v, sizeof v);
}

// Entries `at`, `at` + 1, ... of an array of `length`, zero where there are none.
template <typename V>
INLINE V load_near(const lane<V>* p, int64_t at, int64_t length) {
  if (at >= 0 && at + W <= length) return load<V>(p + at);
  V v{};
  if (at + W <= 0 || at >= length) return v;
  for (int i = 0; i < W; ++i) {
    if (at + i >= 0 && at + i < length) v[i] = p[at + i];
  }
  return v;
}

template <typename V>
INLINE void store_near(lane<V>* p, int64_t at, int64_t length, V v) {
  if (at >= 0 && at + W <= length) return store(p + at, v);
  if (at + W <= 0 || at >= length) return;
  for (int i = 0; i < W; ++i) {
    if (at + i >= 0 && at + i < length) p[at + i] = v[i];
  }
}

template <typename V>
INLINE V load_apart(const lane<V>* p, int64_t stride) {
  V v;
  for (int i = 0; i < W; ++i) v[i] = p[i * stride];
  return v;
}

template <typename M>
INLINE mask as_mask(M m) {
  if constexpr (sizeof(M) == sizeof(mask)) {
    return (mask)m;
  } else {
    return __builtin_convertvector(m, mask);
  }
}

template <typename V>
INLINE V select(mask m, V a, V b) {
  using I = signed_of<V>;
  I wide;
  if constexpr (sizeof(I) == sizeof(mask)) {
    wide = (I)m;
  } else {
    wide = __builtin_convertvector(m, I);
  }
  return wide ? a : b;
}

// Arrays of bools have one byte, 0 or 1, for each.
INLINE mask load_mask(const uint8_t* p) {
#if defined(__AVX2__) && !defined(__clang__)
  // GCC makes one instruction for each lane of what stands below.
  if constexpr (sizeof(mask) == 32) {
    typedef char c16 __attribute__((vector_size(16)));
    typedef long long l2 __attribute__((vector_size(16)));
    std::conditional_t<W == 8, int64_t, int32_t> all;
    std::memcpy(&all, p, W);
    const l2 c{all, 0};
    if constexpr (W == 8) return -(mask)__builtin_ia32_pmovsxbd256((c16)c);
    return -(mask)__builtin_ia32_pmovsxbq256((c16)c);
  }
#endif
  i8 b;
  std::memcpy(&b, p, sizeof b);
  return -__builtin_convertvector(b, mask);
}

INLINE void store_mask(uint8_t* p, mask m) {
#if defined(__AVX2__)
  if constexpr (W == 8 && WIDEST == 4) {
    // One bit for each lane, spread over eight bytes.
    typedef float v8 __attribute__((vector_size(32)));
    const uint64_t on = static_cast<uint64_t>(__builtin_ia32_movmskps256((v8)m)) & 0xff;
    const uint64_t bytes = on * 0x0101010101010101ull & 0x8040201008040201ull;
    const uint64_t one = ((bytes + 0x7f7f7f7f7f7f7f7full) | bytes) >> 7 & 0x0101010101010101ull;
    std::memcpy(p, &one, 8);
    return;
  }
#endif
  const i8 b = __builtin_convertvector(m & 1, i8);
  std::memcpy(p, &b, sizeof b);
}

INLINE mask load_mask_near(const uint8_t* p, int64_t at, int64_t length) {
  mask m{};
  for (int i = 0; i < W; ++i) {
    if (at + i >= 0 && at + i < length) m[i] = -static_cast<lane<mask>>(p[at + i]);
  }
  return m;
}

INLINE void store_mask_near(uint8_t* p, int64_t at, int64_t length, mask m) {
  if (at >= 0 && at + W <= length) return store_mask(p + at, m);
  for (int i = 0; i < W; ++i) {
    if (at + i >= 0 && at + i < length) p[at + i] = m[i] ? 1 : 0;
  }
}

INLINE mask load_mask_apart(const uint8_t* p, int64_t stride) {
  mask m;
  for (int i = 0; i < W; ++i) m[i] = -static_cast<lane<mask>>(p[i * stride]);
  return m;
}

// The numbers 0, 1, ... W - 1.
template <typename V>
INLINE V lanes() {
  V v;
  for (int i = 0; i < W; ++i) v[i] = static_cast<lane<V>>(i);
  return v;
}

// Which of the positions `at`, `at` + 1, ... lie in [start, stop).
INLINE mask within(int64_t at, int64_t start, int64_t stop) {
  const auto clip = [](int64_t x) { return static_cast<lane<mask>>(x < -W ? -W : x > W ? W : x); };
  const mask i = lanes<mask>();
  return as_mask(i >= clip(start - at)) & as_mask(i < clip(stop - at));
}

// One function of single numbers in each lane.
#define LANEWISE(name, call)          \
  template <typename V>               \
  INLINE V name(V x) {                \
    V y;                              \
    for (int i = 0; i < W; ++i) {     \
      const lane<V> a = x[i];         \
      y[i] = call;                    \
    }                                 \
    return y;                         \
  }
#define LANEWISE2(name, call)                    \
  template <typename V>                          \
  INLINE V name(V x, V z) {                      \
    V y;                                         \
    for (int i = 0; i < W; ++i) {                \
      const lane<V> a = x[i], b = z[i];          \
      y[i] = call;                               \
    }                                            \
    return y;                                    \
  }

LANEWISE(sin_of, std::sin(a))
LANEWISE(cos_of, std::cos(a))
LANEWISE(exp2_of, std::exp2(a))
LANEWISE(erf_of, std::erf(a))
LANEWISE(erfc_of, std::erfc(a))
LANEWISE2(pow_of, std::pow(a, b))
LANEWISE2(fmod_of, std::fmod(a, b))
// Whole numbers: division by zero gives -1, and its remainder the dividend.
LANEWISE2(quotient_of, b == 0 ? lane<V>(-1) : b == lane<V>(-1) && std::is_signed_v<lane<V>> ? lane<V>(0 - a) : lane<V>(a / b))
LANEWISE2(remainder_of, b == 0 ? a : b == lane<V>(-1) && std::is_signed_v<lane<V>> ? lane<V>(0) : lane<V>(a % b))

// a * b + c, rounded once where the processor can.
template <typename V>
INLINE V fma(V a, V b, V c) {
#if defined(__FMA__)
  if constexpr (std::is_same_v<V, f32> && sizeof(V) == 32) return __builtin_ia32_vfmaddps256(a, b, c);
  if constexpr (std::is_same_v<V, f64> && sizeof(V) == 32) return __builtin_ia32_vfmaddpd256(a, b, c);
  if constexpr (std::is_same_v<V, f32> && sizeof(V) == 16) return __builtin_ia32_vfmaddps(a, b, c);
  if constexpr (std::is_same_v<V, f64> && sizeof(V) == 16) return __builtin_ia32_vfmaddpd(a, b, c);
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<V, f32> && sizeof(V) == 64) {
    return __builtin_ia32_vfmaddps512_mask(a, b, c, static_cast<uint16_t>(-1), 4);
  }
  if constexpr (std::is_same_v<V, f64> && sizeof(V) == 64) {
    return __builtin_ia32_vfmaddpd512_mask(a, b, c, static_cast<uint8_t>(-1), 4);
  }
#endif
#endif
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  V y;
  for (int i = 0; i < W; ++i) y[i] = std::fma(a[i], b[i], c[i]);
  return y;
#else
  return a * b + c;
#endif
}

template <typename V>
INLINE V sqrt_of(V x) {
#if defined(__AVX__)
  if constexpr (std::is_same_v<V, f32> && sizeof(V) == 32) return __builtin_ia32_sqrtps256(x);
  if constexpr (std::is_same_v<V, f64> && sizeof(V) == 32) return __builtin_ia32_sqrtpd256(x);
#endif
  V y;
  for (int i = 0; i < W; ++i) y[i] = std::sqrt(x[i]);
  return y;
}

// Constants of the two formats.
template <typename V>
struct Format;

template <>
struct Format<f32> {
  static constexpr float kWhole = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  static constexpr float kLarge = 8388608.0f;   // from here on all numbers are whole
  static constexpr float kLn2High = 0x1.62e4p-1f, kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kExpLow = -104.0f, kExpHigh = 89.0f, kMinusOne = -18.0f;
  static constexpr float kTiny = 0x1p-126f, kScale = 0x1p24f;
  static constexpr int kMantissa = 23, kBias = 127, kExpTerms = 7, kLogTerms = 5, kScaleBits = 24;
  static constexpr uint32_t kRootHalf = 0x3f3504f3u, kFraction = 0x007fffffu, kSign = 0x80000000u, kInfinity = 0x7f800000u;
};

template <>
struct Format<f64> {
  static constexpr double kWhole = 6755399441055744.0;
  static constexpr double kLarge = 4503599627370496.0;
  static constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kExpLow = -746.0, kExpHigh = 710.0, kMinusOne = -38.0;
  static constexpr double kTiny = 0x1p-1022, kScale = 0x1p54;
  static constexpr int kMantissa = 52, kBias = 1023, kExpTerms = 13, kLogTerms = 11, kScaleBits = 54;
  static constexpr uint64_t kRootHalf = 0x3fe6a09e667f3bcdull, kFraction = 0x000fffffffffffffull,
                            kSign = 0x8000000000000000ull, kInfinity = 0x7ff0000000000000ull;
};

template <typename V>
INLINE V abs_of(V x) {
  if constexpr (std::is_same_v<V, f32> || std::is_same_v<V, f64>) {
    using I = signed_of<V>;
    return bits<V>(bits<I>(x) & static_cast<lane<I>>(~Format<V>::kSign));
  } else {
    return x < 0 ? -x : x;
  }
}

// `x` with the sign of `from`.
template <typename V>
INLINE V with_sign(V x, V from) {
  using I = signed_of<V>;
  const I sign = splat<I>(static_cast<lane<I>>(Format<V>::kSign));
  return bits<V>((bits<I>(x) & ~sign) | (bits<I>(from) & sign));
}

// To the nearest whole number, halves to even.
template <typename V>
INLINE V round_even(V x) {
  const V big = abs_of(x), shift = splat<V>(Format<V>::kLarge);
  const V near = (big + shift) - shift;
  return with_sign(big < shift ? near : big, x);
}

template <typename V>
INLINE V floor_of(V x) {
  const V near = round_even(x);
  return with_sign(near > x ? near - 1 : near, x);
}

template <typename V>
INLINE V ceil_of(V x) {
  const V near = round_even(x);
  return with_sign(near < x ? near + 1 : near, x);
}

template <typename V>
INLINE V round_away(V x) {
  const V big = abs_of(x), low = floor_of(big);
  return with_sign(big - low >= 0.5 ? low + 1 : low, x);
}

// Maximum and minimum in which NaN wins.
template <typename V>
INLINE V max_of(V a, V b) {
  if constexpr (std::is_integral_v<lane<V>>) return a > b ? a : b;
  // Of two zeros the positive one.
  const V larger = a > b ? a : b;
  const V both = a == b ? bits<V>(bits<signed_of<V>>(a) & bits<signed_of<V>>(b)) : larger;
  return a != a ? a : both;
}

template <typename V>
INLINE V min_of(V a, V b) {
  if constexpr (std::is_integral_v<lane<V>>) return a < b ? a : b;
  const V smaller = a < b ? a : b;
  const V both = a == b ? bits<V>(bits<signed_of<V>>(a) | bits<signed_of<V>>(b)) : smaller;
  return a != a ? a : both;
}

// Those with a number that is neither zero nor NaN.
template <typename V>
INLINE V max_with(V x, V number) {
#if defined(__AVX__)
  if constexpr (std::is_same_v<V, f32> && sizeof(V) == 32) return __builtin_ia32_maxps256(number, x);
  if constexpr (std::is_same_v<V, f64> && sizeof(V) == 32) return __builtin_ia32_maxpd256(number, x);
#endif
  return number > x ? number : x;
}

template <typename V>
INLINE V min_with(V x, V number) {
#if defined(__AVX__)
  if constexpr (std::is_same_v<V, f32> && sizeof(V) == 32) return __builtin_ia32_minps256(number, x);
  if constexpr (std::is_same_v<V, f64> && sizeof(V) == 32) return __builtin_ia32_minpd256(number, x);
#endif
  return number < x ? number : x;
}

template <typename V>
INLINE V sign_of(V x) {
  if constexpr (std::is_unsigned_v<lane<V>>) {
    return x > 0 ? splat<V>(1) : splat<V>(0);
  } else {
    return x > 0 ? splat<V>(1) : x < 0 ? splat<V>(-1) : x;
  }
}

template <typename V>
INLINE mask finite(V x) {
  return as_mask(abs_of(x) < from_bits<V>(Format<V>::kInfinity));
}

// x = k ln 2 + r with a whole number k and |r| <= ln(2) / 2; returns r, and k in the low bits of `shifted`.
template <typename V>
INLINE V reduced(V x, V& shifted) {
  using F = Format<V>;
  shifted = fma(x, splat<V>(lane<V>(1.44269504088896340736)), splat<V>(F::kWhole));
  const V k = shifted - F::kWhole;
  return fma(k, splat<V>(-F::kLn2Low), fma(k, splat<V>(-F::kLn2High), x));
}

template <typename V>
constexpr lane<V> inverse_factorial(int n) {
  long double f = 1;
  for (int i = 2; i <= n; ++i) f *= i;
  return static_cast<lane<V>>(1 / f);
}

// Coefficients `from`, ... `from` + N - 1 of exp as a polynomial in r, in pairs of pairs: a chain of products would be
// four times as long as it needs to be, and a kernel waits for it.
template <typename V, int N>
INLINE V series(V r, V r2, V r4, int from) {
  const auto c = [&](int i) { return splat<V>(inverse_factorial<V>(from + i)); };
  if constexpr (N == 1) return c(0);
  if constexpr (N == 2) return fma(c(1), r, c(0));
  if constexpr (N == 3) return fma(c(2), r2, fma(c(1), r, c(0)));
  if constexpr (N == 4) return fma(fma(c(3), r, c(2)), r2, fma(c(1), r, c(0)));
  if constexpr (N > 4) return fma(series<V, N - 4>(r, r2, r4, from + 4), r4, series<V, 4>(r, r2, r4, from));
}

// exp(r) - 1 for |r| <= ln(2) / 2, by its Taylor series.
template <typename V>
INLINE V small_expm1(V r) {
  const V r2 = r * r;
  return fma(r2, series<V, Format<V>::kExpTerms - 1>(r, r2, r2 * r2, 2), r);
}

// 2^k for whole numbers k within the range of exponents.
template <typename V>
INLINE V power_of_two(signed_of<V> k) {
  return bits<V>((k + Format<V>::kBias) << Format<V>::kMantissa);
}

template <typename V>
INLINE V limited(V x, lane<V> low, lane<V> high) {
  return min_with(max_with(x, splat<V>(low)), splat<V>(high));  // NaN stays
}

template <typename V>
INLINE signed_of<V> whole_bits(V shifted) {
  using I = signed_of<V>;
  return bits<I>(shifted) - bits<I>(splat<V>(Format<V>::kWhole));
}

template <typename V>
INLINE V exp_of(V x) {
  using F = Format<V>;
  V shifted;
  const V r = reduced(limited(x, F::kExpLow, F::kExpHigh), shifted);
  const V p = small_expm1(r) + 1;
  // In two factors: the first product is exact, and the second rounds once where the result is subnormal.
  const auto n = whole_bits(shifted), half = n >> 1;
  const V y = p * power_of_two<V>(half) * power_of_two<V>(n - half);
  return y;
}

// exp(x) - 1 except at zero, whose sign is lost.
template <typename V>
INLINE V plain_expm1(V x) {
  using F = Format<V>;
  V shifted;
  const V r = reduced(limited(x, F::kMinusOne, F::kExpHigh), shifted);
  const V p = small_expm1(r);
  const V scale = power_of_two<V>(whole_bits(shifted) - 1);  // half of 2^k, which may be too large
  const V half = fma(scale, p, scale - lane<V>(0.5));
  return half + half;
}

template <typename V>
INLINE V expm1_of(V x) {
  const auto zero = x == 0;
  return zero ? x : plain_expm1(x);
}

// (exp(x) - 1) / x, 1 at zero.
template <typename V>
INLINE V phi1_of(V x) {
  const auto zero = x == 0;
  const V y = plain_expm1(x) / x;
  return zero ? splat<V>(1) : y;
}

// log(m 2^e): log(1 + f) = f - s (f - R) where s = f / (2 + f), R = sum of 2 s^(2n) / (2n + 1).
template <typename V>
INLINE V log_of(V x) {
  using F = Format<V>;
  using I = signed_of<V>;
  const auto tiny = x < F::kTiny;
  const V y = tiny ? x * F::kScale : x;
  const I from = bits<I>(y) - static_cast<lane<I>>(F::kRootHalf);
  const I e = (from >> F::kMantissa) - (tiny ? splat<I>(F::kScaleBits) : splat<I>(0));
  const V m = bits<V>((from & static_cast<lane<I>>(F::kFraction)) + static_cast<lane<I>>(F::kRootHalf));
  const V f = m - 1, s = f / (f + 2), z = s * s;
  V p = splat<V>(lane<V>(2.0L / (2 * F::kLogTerms + 1)));
#pragma GCC unroll 16
  for (int n = F::kLogTerms - 1; n >= 1; --n) p = fma(p, z, splat<V>(lane<V>(2.0L / (2 * n + 1))));
  const V q = __builtin_convertvector(e, V);
  const V correction = fma(q, splat<V>(-F::kLn2Low), s * fma(-z, p, f));
  const V sum = fma(q, splat<V>(F::kLn2High), f - correction);
  const V infinity = from_bits<V>(F::kInfinity);
  const V ordinary = x < infinity ? sum : x;  // infinity and NaN
  const V at_zero = x == 0 ? -infinity : ordinary;
  return x < 0 ? from_bits<V>(F::kInfinity | (F::kInfinity >> 1)) : at_zero;
}

template <typename V>
INLINE V log1p_of(V x) {
  const V u = x + 1;
  const V lost = (x - (u - 1)) / u;  // what 1 + x was rounded by
  const V y = log_of(u);
  const V infinity = from_bits<V>(Format<V>::kInfinity);
  const V sum = abs_of(y) < infinity ? y + lost : y;
  return x == 0 ? x : sum;
}

template <typename V>
INLINE V logistic_of(V x) {
  return 1 / (exp_of(-x) + 1);
}

template <typename V>
INLINE V tanh_of(V x) {
  const V big = abs_of(x), e = expm1_of(limited(big, 0, 20) * 2);
  const auto large = big > lane<V>(0.5);
  const V q = (large ? splat<V>(2) : e) / (e + 2);
  return with_sign(large ? 1 - q : q, x);
}

template <typename V>
INLINE V cosh_of(V x) {
  const V big = abs_of(x), e = exp_of(big), root = exp_of(big * lane<V>(0.5));
  return big > lane<V>(80) ? root * lane<V>(0.5) * root : fma(e, splat<V>(0.5), lane<V>(0.5) / e);
}

template <typename V>
INLINE V sinh_of(V x) {
  const V big = abs_of(x), e = expm1_of(big), root = exp_of(big * lane<V>(0.5));
  const V y = big > lane<V>(80) ? root * lane<V>(0.5) * root : lane<V>(0.5) * (e + e / (e + 1));
  return with_sign(y, x);
}

template <typename V, int N>
INLINE V polynomial(V x, const lane<V> (&c)[N]) {
  V p = splat<V>(c[0]);
#pragma GCC unroll 32
  for (int i = 1; i < N; ++i) p = fma(p, x, splat<V>(c[i]));
  return p;
}

// The inverse error function in polynomials of w = -log(1 - x^2), with the coefficients of Giles (2010),
// "Approximating the erfinv function", GPU Computing Gems.
INLINE f32 erf_inv_of(f32 x) {
  static constexpr float kNear[] = {2.81022636e-08f,   3.43273939e-07f,  -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                                    -0.00125372503f, -0.00417768164f, 0.246640727f,    1.50140941f};
  static constexpr float kFar[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                                   -0.0076224613f,  0.00943887047f,  1.00167406f,   2.83297682f};
  const f32 w = -log1p_of(x * -x);
  const f32 near = polynomial<f32>(w - 2.5f, kNear), far = polynomial<f32>(sqrt_of(w) - 3.0f, kFar);
  const f32 p = (w < 5.0f ? near : far) * x;
  return abs_of(x) == 1.0f ? x * from_bits<f32>(Format<f32>::kInfinity) : p;
}

INLINE f64 erf_inv_of(f64 x) {
  static constexpr double kNear[] = {
      -3.6444120640178196996e-21, -1.685059138182016589e-19,  1.2858480715256400167e-18,  1.115787767802518096e-17,
      -1.333171662854620906e-16,  2.0972767875968561637e-17,  6.6376381343583238325e-15,  -4.0545662729752068639e-14,
      -8.1519341976054721522e-14, 2.6335093153082322977e-12,  -1.2975133253453532498e-11, -5.4154120542946279317e-11,
      1.051212273321532285e-09,   -4.1126339803469836976e-09, -2.9070369957882005086e-08, 4.2347877827932403518e-07,
      -1.3654692000834678645e-06, -1.3882523362786468719e-05, 0.0001867342080340571352,   -0.00074070253416626697512,
      -0.0060336708714301490533,  0.24015818242558961693,     1.6536545626831027356};
  static constexpr double kMiddle[] = {
      2.2137376921775787049e-09,  9.0756561938885390979e-08,  -2.7517406297064545428e-07, 1.8239629214389227755e-08,
      1.5027403968909827627e-06,  -4.013867526981545969e-06,  2.9234449089955446044e-06,  1.2475304481671778723e-05,
      -4.7318229009055733981e-05, 6.8284851459573175448e-05,  2.4031110387097893999e-05,  -0.0003550375203628474796,
      0.00095328937973738049703,  -0.0016882755560235047313,  0.0024914420961078508066,   -0.0037512085075692412107,
      0.005370914553590063617,    1.0052589676941592334,      3.0838856104922207635};
  static constexpr double kFar[] = {
      -2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09, -3.7894654401267369937e-09,
      7.6157012080783393804e-09,  -1.4960026627149240478e-08, 2.9147953450901080826e-08, -6.7711997758452339498e-08,
      2.2900482228026654717e-07,  -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05,
      7.5995277030017761139e-05,  -0.00021503011930044477347, -0.00013871931833623122026, 1.0103004648645343977,
      4.8499064014085844221};
  const f64 w = -log1p_of(x * -x), root = sqrt_of(w);
  const f64 near = polynomial<f64>(w - 3.125, kNear), middle = polynomial<f64>(root - 3.25, kMiddle),
            far = polynomial<f64>(root - 5.0, kFar);
  const f64 p = (w < 6.25 ? near : w < 16.0 ? middle : far) * x;
  return abs_of(x) == 1.0 ? x * from_bits<f64>(Format<f64>::kInfinity) : p;
}

// Shifts by as many bits as there are, or more, leave nothing (or the sign).
template <typename V>
INLINE V shift_left(V x, V by) {
  using U = std::conditional_t<sizeof(lane<V>) == 8, u64, u32>;
  const U n = (U)by, y = (U)x << (n & (8 * sizeof(lane<V>) - 1));
  return (V)(n < 8 * sizeof(lane<V>) ? y : splat<U>(0));
}

template <typename V>
INLINE V shift_right_logical(V x, V by) {
  using U = std::conditional_t<sizeof(lane<V>) == 8, u64, u32>;
  const U n = (U)by, y = (U)x >> (n & (8 * sizeof(lane<V>) - 1));
  return (V)(n < 8 * sizeof(lane<V>) ? y : splat<U>(0));
}

template <typename V>
INLINE V shift_right_arithmetic(V x, V by) {
  using U = std::conditional_t<sizeof(lane<V>) == 8, u64, u32>;
  using I = signed_of<V>;
  const U n = (U)by < 8 * sizeof(lane<V>) ? (U)by : splat<U>(8 * sizeof(lane<V>) - 1);
  return (V)((I)x >> (I)n);
}

// Conversions. Numbers too large for an integer become the nearest one that exists, NaN becomes zero.
template <typename To, typename From>
INLINE To convert(From x) {
  using A = lane<From>;
  using B = lane<To>;
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_floating_point_v<A> && std::is_integral_v<B>) {
    if constexpr (std::is_same_v<To, i32> && std::is_same_v<From, f32>) {
      const i32 plain = __builtin_convertvector(x, i32);
      const i32 high = x >= 0x1p31f ? splat<i32>(INT32_MAX) : plain;
      const i32 low = x < -0x1p31f ? splat<i32>(INT32_MIN) : high;
      return x == x ? low : splat<i32>(0);
    } else if constexpr (std::is_same_v<To, u32> && std::is_same_v<From, f32>) {
      // Halves, as there is no instruction for the upper one.
      const auto upper = x >= 0x1p31f;
      const f32 rest = upper ? x - 0x1p31f : x;
      const u32 plain = (u32)__builtin_convertvector(rest, i32) + (upper ? splat<u32>(1u << 31) : splat<u32>(0));
      const u32 high = x >= 0x1p32f ? splat<u32>(UINT32_MAX) : plain;
      return x > 0.0f ? high : splat<u32>(0);
    } else {
      To y;
      const A least = static_cast<A>(std::numeric_limits<B>::lowest());
      for (int i = 0; i < W; ++i) {
        const A a = x[i];
        if (!(a == a)) {
          y[i] = 0;
        } else if (a <= least) {
          y[i] = std::numeric_limits<B>::lowest();
        } else if (a >= -2 * static_cast<A>(std::numeric_limits<std::make_signed_t<B>>::lowest()) / (std::is_signed_v<B> ? 2 : 1)) {
          y[i] = std::numeric_limits<B>::max();
        } else {
          y[i] = static_cast<B>(a);
        }
      }
      return y;
    }
  } else if constexpr (std::is_same_v<To, f32> && std::is_same_v<From, u32>) {
    const f32 high = __builtin_convertvector((i32)(x >> 16), f32), low = __builtin_convertvector((i32)(x & 0xffffu), f32);
    return high * 65536.0f + low;  // the first product is exact
  } else if constexpr (std::is_same_v<To, f64> && std::is_same_v<From, u32>) {
    const f64 high = __builtin_convertvector((i32)(x >> 16), f64), low = __builtin_convertvector((i32)(x & 0xffffu), f64);
    return high * 65536.0 + low;
  } else {
    return __builtin_convertvector(x, To);
  }
}

template <typename V>
INLINE V from_mask(mask m) {
  return select(m, splat<V>(1), splat<V>(0));
}

// The threads of the event library, given when a kernel is loaded.
typedef void (*Threads)(int parts, void (*work)(void*, int), void* context);
Threads the_threads = nullptr;
int the_thread_count = 1;

// Calls `work` for each part. Subnormal numbers are treated in every thread as in the one that calls.
template <typename F>
void in_parts(int parts, F& work) {
  if (parts <= 1 || the_threads == nullptr) {
    for (int part = 0; part < parts; ++part) work(part);
    return;
  }
#if defined(__x86_64__)
  struct Job {
    F* work;
    unsigned mode;
  } job{&work, __builtin_ia32_stmxcsr()};
  the_threads(
      parts,
      [](void* context, int part) {
        Job* job = static_cast<Job*>(context);
        const unsigned own = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(job->mode);
        (*job->work)(part);
        __builtin_ia32_ldmxcsr(own);
      },
      &job);
#else
  the_threads(parts, [](void* context, int part) { (*static_cast<F*>(context))(part); }, &work);
#endif
}

// Neurons that spiked in a step.
struct List {
  int32_t* neurons = nullptr;
  int64_t count = 0;
};

// Appends the lanes of `m` whose position, from `at` on, is below `limit`.
INLINE void append(List* list, int64_t at, mask m, int64_t limit) {
  uint32_t on = 0;
#if defined(__AVX2__)
  if constexpr (sizeof(mask) == 32 && WIDEST == 4) {
    typedef float v8 __attribute__((vector_size(32)));
    on = static_cast<uint32_t>(__builtin_ia32_movmskps256((v8)m));
  } else if constexpr (sizeof(mask) == 32 && WIDEST == 8) {
    typedef double v4 __attribute__((vector_size(32)));
    on = static_cast<uint32_t>(__builtin_ia32_movmskpd256((v4)m));
  } else
#endif
  {
    for (int i = 0; i < W; ++i) on |= (m[i] ? 1u : 0u) << i;
  }
  if (__builtin_expect(on == 0, 1)) return;
  for (; on; on &= on - 1) {
    const int64_t i = at + __builtin_ctz(on);
    if (i < limit) list->neurons[list->count++] = static_cast<int32_t>(i);
  }
}

// Answers XLA when it asks for the version of this handler; whether it did.
inline bool asked_for_version(XLA_FFI_CallFrame* frame) {
  XLA_FFI_Extension_Base* extension = frame->extension_start;
  if (extension == nullptr || extension->type != XLA_FFI_Extension_Metadata) return false;
  XLA_FFI_Metadata* metadata = reinterpret_cast<XLA_FFI_Metadata_Extension*>(extension)->metadata;
  metadata->api_version.major_version = XLA_FFI_API_MAJOR;
  metadata->api_version.minor_version = XLA_FFI_API_MINOR;
  metadata->traits = 0;
  metadata->state_type_id.type_id = 0;
  return true;
}

inline const XLA_FFI_Buffer& argument(XLA_FFI_CallFrame* frame, int i) {
  return *static_cast<XLA_FFI_Buffer*>(frame->args.args[i]);
}

inline const XLA_FFI_Buffer& result(XLA_FFI_CallFrame* frame, int i) {
  return *static_cast<XLA_FFI_Buffer*>(frame->rets.rets[i]);
}

}  // namespace
