// Plain C functions called through ctypes: validation of a CSR structure on the host, and what the library is.

#include <cmath>
#include <cstdint>

#include "active.h"
#include "pool.h"

namespace {

// First element of a row range that breaks a rule: 1 index out of range, 2 row not sorted, 0 none.
template <typename P>
int64_t check(const int32_t* indices, const P* indptr, int64_t n_rows, int64_t n_cols, int64_t* where) {
  for (int64_t row = 0; row < n_rows; ++row) {
    int32_t before = 0;
    for (P k = indptr[row]; k < indptr[row + 1]; ++k) {
      const int32_t c = indices[k];
      if (c < 0 || c >= n_cols) {
        *where = k;
        return 1;
      }
      if (c < before) {
        *where = k;
        return 2;
      }
      before = c;
    }
  }
  return 0;
}

}  // namespace

extern "C" {

const char* brainfn_isa() { return brainfn::has_avx2() ? "AVX2" : "generic"; }

int brainfn_threads() { return brainfn::max_threads(); }

// The pool, for kernels in libraries of their own.
void brainfn_run_parts(int parts, void (*work)(void*, int), void* context) { brainfn::run_parts(parts, work, context); }
bool brainfn_run_together(int parts, void (*work)(void*, int), void* context) {
  return brainfn::run_together(parts, work, context);
}

int64_t brainfn_check_csr(const int32_t* indices, const void* indptr, int wide, int64_t n_rows, int64_t n_cols,
                          int64_t* where) {
  return wide ? check(indices, static_cast<const int64_t*>(indptr), n_rows, n_cols, where)
              : check(indices, static_cast<const int32_t*>(indptr), n_rows, n_cols, where);
}
}
