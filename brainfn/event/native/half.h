// Half-precision numbers as kernels hold them: converted to float when loaded, rounded to nearest even when stored.
#pragma once

#include <cstdint>
#include <cstring>

#include "call.h"

namespace brainfn {

struct Float16 {
  uint16_t bits;
};

struct BFloat16 {
  uint16_t bits;
};

inline float float_of(uint32_t bits) {
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

inline uint32_t bits_of(float x) {
  uint32_t out;
  std::memcpy(&out, &x, 4);
  return out;
}

template <typename T>
inline T load(T x) {
  return x;
}

inline float load(BFloat16 x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }

inline float load(Float16 x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16, rest = x.bits & 0x7fff;
  // The exponent's bias differs by 112. A subnormal number gets an exponent, whose value is then subtracted: exact, and
  // no subnormal float, which the runtime's threads take for zero.
  const uint32_t wide = (rest << 13) + (112u << 23);
  const uint32_t subnormal = bits_of(float_of(wide + (1u << 23)) - float_of(113u << 23));
  const uint32_t infinite = rest << 13 | 0x7f800000;
  return float_of((rest < 0x400 ? subnormal : rest < 0x7c00 ? wide : infinite) | sign);
}

template <typename T>
inline void store(T& to, T x) {
  to = x;
}

inline void store(BFloat16& to, float x) {
  const uint32_t bits = bits_of(x);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const uint32_t nan = bits >> 16 | 0x40;
  to.bits = static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

inline void store(Float16& to, float x) {
  const uint32_t bits = bits_of(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  uint32_t out;
  if (rest > 0x7f800000) {
    out = 0x7e00;  // not a number
  } else if (rest >= 0x477ff000) {
    out = 0x7c00;  // 65520 and more
  } else if (rest < 0x38800000) {
    // Subnormal: adding 0.5 aligns the mantissa, and the addition rounds.
    out = bits_of(float_of(rest) + 0.5f) - bits_of(0.5f);
  } else {
    out = (rest - (112u << 23) + 0xfff + (rest >> 13 & 1)) >> 13;
  }
  to.bits = static_cast<uint16_t>(out | sign);
}

// Calls f with a pointer to the weights, of the type that they are stored in.
template <typename T, typename F>
void with_weights(const Operand& w, F f) {
  if constexpr (sizeof(T) == 4) {
    if (w.dtype == ffi::DataType::F16) return f(reinterpret_cast<Float16*>(w.data));
    if (w.dtype == ffi::DataType::BF16) return f(reinterpret_cast<BFloat16*>(w.data));
  }
  f(reinterpret_cast<T*>(w.data));
}

// The first weight, which is the only one of a homogeneous matrix.
template <typename T>
T first_weight(const Operand& w, int64_t at) {
  T out = 0;
  with_weights<T>(w, [&](const auto* p) { out = load(p[at]); });
  return out;
}

inline int64_t bytes_of(ffi::DataType dtype) {
  switch (dtype) {
    case ffi::DataType::F64:
      return 8;
    case ffi::DataType::F32:
      return 4;
    case ffi::DataType::F16:
    case ffi::DataType::BF16:
      return 2;
    default:
      return 1;
  }
}

}  // namespace brainfn
