// Transposes a CSR structure by counting sort: O(nnz), stable, so that rows of the result are sorted.

#include <algorithm>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "call.h"
#include "pool.h"

namespace brainfn {
namespace {

// Result elements that one pass writes: a region that caches and page tables cover. More passes read more often.
constexpr int64_t kPassElements = int64_t{1} << 23;
constexpr int64_t kMaxPasses = 16;

// Bit i says whether indices[i] lies in [from, from + width), i < n <= 32.
uint32_t within_generic(const int32_t* indices, int64_t n, int32_t from, uint32_t width) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < n; ++i) bits |= static_cast<uint32_t>(static_cast<uint32_t>(indices[i] - from) < width) << i;
  return bits;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) uint32_t within_avx2(const int32_t* indices, int64_t n, int32_t from,
                                                     uint32_t width) {
  const __m256i low = _mm256_set1_epi32(from - 1), high = _mm256_set1_epi32(from + static_cast<int32_t>(width));
  uint32_t bits = 0;
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(indices + i));
    const __m256i in = _mm256_and_si256(_mm256_cmpgt_epi32(c, low), _mm256_cmpgt_epi32(high, c));
    bits |= static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(in))) << i;
  }
  return i < n ? bits | within_generic(indices + i, n - i, from, width) << i : bits;
}
#endif

uint32_t within(const int32_t* indices, int64_t n, int32_t from, uint32_t width) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return within_avx2(indices, n, from, width);
#endif
  return within_generic(indices, n, from, width);
}

template <typename P>
bool transpose_typed(const int32_t* indices, const P* indptr, int64_t nnz, int64_t n_rows, int64_t n_cols,
                     int32_t* indices_t, P* indptr_t, P* permutation) {
  std::fill(indptr_t, indptr_t + n_cols + 1, P(0));
  for (int64_t k = 0; k < nnz; ++k) {
    if (indices[k] < 0 || indices[k] >= n_cols) return false;
    ++indptr_t[indices[k] + 1];
  }
  for (int64_t c = 0; c < n_cols; ++c) indptr_t[c + 1] += indptr_t[c];
  std::vector<P> next(static_cast<size_t>(n_cols + 1));
  std::copy(indptr_t, indptr_t + n_cols + 1, next.begin());
  // Each pass writes the columns of one part of the result, so passes are independent and may run at the same time.
  const int passes = static_cast<int>(std::clamp<int64_t>(nnz / kPassElements, 1, kMaxPasses));
  auto pass = [&](int i) {
    auto boundary = [&](int part) {
      const P at = static_cast<P>(nnz / passes * part);
      return part == passes ? n_cols : std::lower_bound(indptr_t, indptr_t + n_cols, at) - indptr_t;
    };
    const int64_t from = boundary(i);
    const auto width = static_cast<uint32_t>(boundary(i + 1) - from);
    auto place = [&](int64_t row, int64_t k) {
      const P at = next[indices[k]]++;
      indices_t[at] = static_cast<int32_t>(row);
      if (permutation) permutation[at] = static_cast<P>(k);
    };
    if (passes == 1) {
      for (int64_t row = 0, k = 0; row < n_rows; ++row) {
        for (const int64_t end = indptr[row + 1]; k < end; ++k) place(row, k);
      }
      return;
    }
    for (int64_t row = 0; row < n_rows; ++row) {
      const int64_t end = indptr[row + 1];
      for (int64_t k = indptr[row]; k < end; k += 32) {
        uint32_t bits = within(indices + k, std::min<int64_t>(end - k, 32), static_cast<int32_t>(from), width);
        for (; bits; bits &= bits - 1) place(row, k + __builtin_ctz(bits));
      }
    }
  };
  parallel(passes, pass);
  return true;
}

ffi::Error transpose(ffi::AnyBuffer indices, ffi::AnyBuffer indptr, ffi::RemainingRets rets) {
  const int64_t n_rows = indptr.dimensions()[0] - 1;
  const int64_t nnz = indices.dimensions()[0];
  auto indices_t = *rets.get<ffi::AnyBuffer>(0);
  auto indptr_t = *rets.get<ffi::AnyBuffer>(1);
  const int64_t n_cols = indptr_t->dimensions()[0] - 1;
  void* permutation = nullptr;
  if (rets.size() > 2) permutation = (*rets.get<ffi::AnyBuffer>(2))->untyped_data();
  const auto* columns = static_cast<const int32_t*>(indices.untyped_data());
  auto* columns_t = static_cast<int32_t*>(indices_t->untyped_data());
  auto run = [&](const auto* starts) {
    using P = std::decay_t<decltype(*starts)>;
    if (starts[0] != 0 || starts[n_rows] != nnz) {
      return ffi::Error::InvalidArgument("transpose_structure: indptr does not run from 0 to nnz");
    }
    for (int64_t row = 0; row < n_rows; ++row) {
      if (starts[row + 1] < starts[row]) return ffi::Error::InvalidArgument("transpose_structure: indptr falls");
    }
    if (!transpose_typed<P>(columns, starts, nnz, n_rows, n_cols, columns_t,
                            static_cast<P*>(indptr_t->untyped_data()), static_cast<P*>(permutation))) {
      return ffi::Error::InvalidArgument("transpose_structure: an index is outside [0, n_cols)");
    }
    return ffi::Error::Success();
  };
  return indptr.element_type() == ffi::DataType::S64 ? run(static_cast<const int64_t*>(indptr.untyped_data()))
                                                     : run(static_cast<const int32_t*>(indptr.untyped_data()));
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_transpose, brainfn::transpose,
    xla::ffi::Ffi::Bind().Arg<xla::ffi::AnyBuffer>().Arg<xla::ffi::AnyBuffer>().RemainingRets());
