// Finds the rows that are active (nonzero) in every array over rows of a call, once per call.
#pragma once

#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "call.h"

namespace brainfn {

// A buffer that only grows, one for each thread that XLA calls us on: no allocation in the steady state.
template <typename T>
class Scratch {
 public:
  ~Scratch() { std::free(data_); }
  T* reserve(int64_t n) {
    if (n > size_) {
      std::free(data_);
      size_ = n + n / 4 + 64;
      data_ = static_cast<T*>(std::malloc(size_ * sizeof(T)));
    }
    return data_;
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
};

inline bool has_avx2() {
#if defined(__x86_64__)
  static const bool yes = __builtin_cpu_supports("avx2");
  return yes;
#else
  return false;
#endif
}

template <typename X>
int64_t compact_tail(const X* x, int64_t from, int64_t n, int32_t* out, int64_t count) {
  for (int64_t i = from; i < n; ++i) {
    out[count] = static_cast<int32_t>(i);
    count += x[i] != X(0);
  }
  return count;
}

inline int64_t compact_generic(const uint8_t* x, int64_t n, int32_t* out) {
  int64_t count = 0, i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t word;
    std::memcpy(&word, x + i, 8);
    if (word) count = compact_tail(x, i, i + 8, out, count);
  }
  return compact_tail(x, i, n, out, count);
}

template <typename X>
int64_t compact_generic(const X* x, int64_t n, int32_t* out) {
  return compact_tail(x, 0, n, out, 0);
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi"))) inline int64_t emit(uint32_t bits, int64_t base, int32_t* out, int64_t count) {
  while (bits) {
    out[count++] = static_cast<int32_t>(base + __builtin_ctz(bits));
    bits &= bits - 1;
  }
  return count;
}

__attribute__((target("avx2,bmi"))) inline int64_t compact_avx2(const uint8_t* x, int64_t n, int32_t* out) {
  const __m256i zero = _mm256_setzero_si256();
  int64_t count = 0, i = 0;
  for (; i + 128 <= n; i += 128) {
    const __m256i* p = reinterpret_cast<const __m256i*>(x + i);
    __m256i a = _mm256_loadu_si256(p), b = _mm256_loadu_si256(p + 1);
    __m256i c = _mm256_loadu_si256(p + 2), d = _mm256_loadu_si256(p + 3);
    __m256i any = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    if (_mm256_testz_si256(any, any)) continue;
    count = emit(~_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, zero)), i, out, count);
    count = emit(~_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, zero)), i + 32, out, count);
    count = emit(~_mm256_movemask_epi8(_mm256_cmpeq_epi8(c, zero)), i + 64, out, count);
    count = emit(~_mm256_movemask_epi8(_mm256_cmpeq_epi8(d, zero)), i + 96, out, count);
  }
  return compact_tail(x, i, n, out, count);
}

__attribute__((target("avx2,bmi"))) inline int64_t compact_avx2(const float* x, int64_t n, int32_t* out) {
  const __m256 zero = _mm256_setzero_ps();
  int64_t count = 0, i = 0;
  for (; i + 32 <= n; i += 32) {
    uint32_t bits = 0;
    for (int k = 0; k < 4; ++k) {
      __m256 nonzero = _mm256_cmp_ps(_mm256_loadu_ps(x + i + 8 * k), zero, _CMP_NEQ_UQ);
      bits |= static_cast<uint32_t>(_mm256_movemask_ps(nonzero)) << 8 * k;
    }
    count = emit(bits, i, out, count);
  }
  return compact_tail(x, i, n, out, count);
}

__attribute__((target("avx2,bmi"))) inline int64_t compact_avx2(const double* x, int64_t n, int32_t* out) {
  const __m256d zero = _mm256_setzero_pd();
  int64_t count = 0, i = 0;
  for (; i + 16 <= n; i += 16) {
    uint32_t bits = 0;
    for (int k = 0; k < 4; ++k) {
      __m256d nonzero = _mm256_cmp_pd(_mm256_loadu_pd(x + i + 4 * k), zero, _CMP_NEQ_UQ);
      bits |= static_cast<uint32_t>(_mm256_movemask_pd(nonzero)) << 4 * k;
    }
    count = emit(bits, i, out, count);
  }
  return compact_tail(x, i, n, out, count);
}
#endif

// Writes the positions of the nonzero elements of x, ascending; returns their number.
template <typename X>
int64_t compact(const X* x, int64_t n, int32_t* out) {
#if defined(__x86_64__)
  if (has_avx2()) return compact_avx2(x, n, out);
#endif
  return compact_generic(x, n, out);
}

inline int64_t compact(const Operand& x, int64_t element, int32_t* out) {
  const int64_t n = x.core_size(), at = element * n;
  switch (x.dtype) {
    case ffi::DataType::F32:
      return compact(reinterpret_cast<const float*>(x.data) + at, n, out);
    case ffi::DataType::F64:
      return compact(reinterpret_cast<const double*>(x.data) + at, n, out);
    default:
      return compact(reinterpret_cast<const uint8_t*>(x.data) + at, n, out);
  }
}

// One batch element of an array over rows: numbers, or bool.
template <typename T>
struct RowValues {
  const T* values = nullptr;
  const uint8_t* flags = nullptr;

  RowValues(const Operand& x, int64_t element) {
    if (x.dtype == ffi::DataType::PRED) {
      flags = reinterpret_cast<const uint8_t*>(x.data) + element * x.core_size();
    } else {
      values = reinterpret_cast<const T*>(x.data) + element * x.core_size();
    }
  }
  T operator[](int64_t i) const { return flags ? static_cast<T>(flags[i]) : values[i]; }
};

struct Range {
  const int32_t* begin;
  const int32_t* end;
  int64_t size() const { return end - begin; }
};

// The active positions of each batch element of the arrays of one role.
class Active {
 public:
  Active(const Call& call, int role) {
    static thread_local Scratch<int32_t> index_scratch;
    static thread_local Scratch<int64_t> start_scratch;
    int64_t total = 0, elements = 0;
    for (int64_t i = 0; i < call.n(role); ++i) {
      Operand x = call.operand(role, i);
      int64_t batch = call.batch_count(x.mask);
      total += batch * x.core_size();
      elements += batch;
    }
    index_ = index_scratch.reserve(total + 1);
    start_ = start_scratch.reserve(elements + 1 + call.n(role));
    first_ = start_ + elements + 1;
    int64_t at = 0, element = 0;
    for (int64_t i = 0; i < call.n(role); ++i) {
      Operand x = call.operand(role, i);
      int64_t batch = call.batch_count(x.mask);
      first_[i] = element;
      for (int64_t b = 0; b < batch; ++b) {
        start_[element++] = at;
        at += compact(x, b, index_ + at);
      }
    }
    start_[element] = at;
  }

  // Active positions of batch element `element` of array `i` that lie in [from, to).
  Range range(int64_t i, int64_t element, int64_t from, int64_t to) const {
    const int64_t e = first_[i] + element;
    const int32_t* begin = index_ + start_[e];
    const int32_t* end = index_ + start_[e + 1];
    return {bound(begin, end, from), bound(begin, end, to)};
  }

 private:
  static const int32_t* bound(const int32_t* begin, const int32_t* end, int64_t value) {
    int64_t n = end - begin;
    if (n == 0 || begin[0] >= value) return begin;
    if (end[-1] < value) return end;
    while (n > 0) {
      int64_t half = n / 2;
      if (begin[half] < value) {
        begin += half + 1;
        n -= half + 1;
      } else {
        n = half;
      }
    }
    return begin;
  }

  int32_t* index_;
  int64_t* start_;
  int64_t* first_;
};

}  // namespace brainfn
