// Transposes a CSR structure by counting sort: O(nnz), stable, so that rows of the result are sorted.

#include <algorithm>
#include <vector>

#include "call.h"

namespace brainfn {
namespace {

template <typename P>
void transpose_typed(const int32_t* indices, const P* indptr, int64_t n_rows, int64_t n_cols, int32_t* indices_t,
                     P* indptr_t, P* permutation) {
  const int64_t nnz = static_cast<int64_t>(indptr[n_rows]);
  std::fill(indptr_t, indptr_t + n_cols + 1, P(0));
  for (int64_t k = 0; k < nnz; ++k) ++indptr_t[indices[k] + 1];
  for (int64_t c = 0; c < n_cols; ++c) indptr_t[c + 1] += indptr_t[c];
  std::vector<P> next(indptr_t, indptr_t + n_cols);
  for (int64_t row = 0; row < n_rows; ++row) {
    for (int64_t k = indptr[row]; k < static_cast<int64_t>(indptr[row + 1]); ++k) {
      const P at = next[indices[k]]++;
      indices_t[at] = static_cast<int32_t>(row);
      if (permutation) permutation[at] = static_cast<P>(k);
    }
  }
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
  for (int64_t k = 0; k < nnz; ++k) {
    if (columns[k] < 0 || columns[k] >= n_cols) {
      return ffi::Error::InvalidArgument("transpose_structure: an index is outside [0, n_cols)");
    }
  }
  auto* columns_t = static_cast<int32_t*>(indices_t->untyped_data());
  if (indptr.element_type() == ffi::DataType::S64) {
    const auto* p = static_cast<const int64_t*>(indptr.untyped_data());
    if (p[n_rows] != nnz) return ffi::Error::InvalidArgument("transpose_structure: indptr does not end with nnz");
    transpose_typed<int64_t>(columns, p, n_rows, n_cols, columns_t, static_cast<int64_t*>(indptr_t->untyped_data()),
                             static_cast<int64_t*>(permutation));
  } else {
    const auto* p = static_cast<const int32_t*>(indptr.untyped_data());
    if (p[n_rows] != nnz) return ffi::Error::InvalidArgument("transpose_structure: indptr does not end with nnz");
    transpose_typed<int32_t>(columns, p, n_rows, n_cols, columns_t, static_cast<int32_t*>(indptr_t->untyped_data()),
                             static_cast<int32_t*>(permutation));
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_transpose, brainfn::transpose,
    xla::ffi::Ffi::Bind().Arg<xla::ffi::AnyBuffer>().Arg<xla::ffi::AnyBuffer>().RemainingRets());
