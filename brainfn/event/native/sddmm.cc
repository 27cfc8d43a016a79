// y[k] += x[row] * v[col] over the stored elements of rows whose x is not zero; a scalar y takes the sum.

#include <algorithm>

#include "active.h"
#include "call.h"
#include "half.h"
#include "jit_call.h"
#include "pool.h"
#include "structure.h"

namespace brainfn {
namespace {

constexpr int64_t kThreadWork = 40000;
constexpr int64_t kAheadRow = 4;

template <typename T, typename W, bool kScalar, typename S>
void sddmm_rows(const S& s, const int32_t* begin, const int32_t* end, int64_t row_offset, RowValues<T> x, const T* v,
                const uint8_t* need, W* y) {
  for (const int32_t* p = begin; p != end; ++p) {
    if (p + 2 * kAheadRow < end) s.fetch_pointer(p[2 * kAheadRow] - row_offset);
    if (p + kAheadRow < end) {
      s.fetch_row(p[kAheadRow] - row_offset);
      if (!kScalar) s.fetch_weights(p[kAheadRow] - row_offset, y);
    }
    if (kScalar) store(y[p - begin], load(W{}));
    if (need && !need[*p]) continue;
    const int64_t row = *p - row_offset;
    const int64_t last = s.end(row);
    const T value = x[*p];
    int64_t k = s.begin(row);
    if (kScalar) {
      T a0 = 0, a1 = 0, a2 = 0, a3 = 0;
      for (; k + 4 <= last; k += 4) {
        a0 += v[s.place(row, k)];
        a1 += v[s.place(row, k + 1)];
        a2 += v[s.place(row, k + 2)];
        a3 += v[s.place(row, k + 3)];
      }
      for (; k < last; ++k) a0 += v[s.place(row, k)];
      store(y[p - begin], value * ((a0 + a1) + (a2 + a3)));
    } else {
      for (; k < last; ++k) {
        W& to = y[s.weight(row, k)];
        store(to, load(to) + value * v[s.place(row, k)]);
      }
    }
  }
}

// Sums in pairs, so that the error does not grow with the number of rows.
template <typename T>
T pairwise_sum(const T* x, int64_t n) {
  if (n <= 16) {
    T out = 0;
    for (int64_t i = 0; i < n; ++i) out += x[i];
    return out;
  }
  return pairwise_sum(x, n / 2) + pairwise_sum(x + n / 2, n - n / 2);
}

template <typename T>
void sddmm_block(const Call& call, const Active& active, int64_t i, bool threads) {
  static thread_local Scratch<T> scratch;
  const Block& b = call.block(i);
  const Operand x = call.operand(kRows, b.array[kRows]);
  const Operand v = call.operand(kCols, b.array[kCols]);
  const Operand y = call.operand(kWeights, b.array[kWeights]);
  const BatchWalk walk = call.walk(b);
  const double mean = mean_row(call, b);
  with_structure(call, b, [&](const auto& s) {
    for (int64_t e = 0; e < walk.count; ++e) {
      const int64_t ex = walk.at(kRows, e);
      const Range rows = active.range(b.array[kRows], ex, b.row_offset, b.row_offset + b.n_rows);
      if (rows.size() == 0) continue;
      const T* ve = reinterpret_cast<const T*>(v.data) + walk.at(kCols, e) * v.core_size() + b.col_offset;
      const int64_t ye = walk.at(kWeights, e) * y.core_size();
      const uint8_t* need = nullptr;
      if (b.need >= 0) {
        const Operand n = call.operand(kNeeds, b.need);
        need = reinterpret_cast<const uint8_t*>(n.data) + walk.at(kNeeds, e) * n.core_size();
      }
      const bool scalar = y.core < 0;
      // A scalar collects one sum per row first, in an order that does not depend on the number of threads.
      T* sums = scalar ? scratch.reserve(rows.size()) : nullptr;
      const RowValues<T> xe(x, ex);
      const int parts = threads && mean * rows.size() > kThreadWork ? max_threads() : 1;
      auto part = [&](int t) {
        const int64_t from = rows.size() * t / parts, to = rows.size() * (t + 1) / parts;
        if (scalar) {
          sddmm_rows<T, T, true>(s, rows.begin + from, rows.begin + to, b.row_offset, xe, ve, need, sums + from);
          return;
        }
        with_weights<T>(y, [&](auto* target) {
          using W = std::decay_t<decltype(*target)>;
          sddmm_rows<T, W, false>(s, rows.begin + from, rows.begin + to, b.row_offset, xe, ve, need, target + ye);
        });
      };
      parallel(parts, part);
      if (scalar) {
        const T sum = pairwise_sum(sums, rows.size());
        with_weights<T>(y, [&](auto* target) { store(target[ye], load(target[ye]) + sum); });
      }
    }
  });
}

template <typename T>
void sddmm_typed_call(const Call& call) {
  if (without_jit(call, sddmm_jit) == 0) return;
  const Active active(call, kRows);
  for (int64_t i = 0; i < call.n_blocks(); ++i) {
    if (call.block(i).kind != kJit) sddmm_block<T>(call, active, i, max_threads() > 1);
  }
}

ffi::Error sddmm(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta) {
  const Call call(args, rets, meta, kWeights);
  if (call.operand(kCols, 0).dtype == ffi::DataType::F32) {
    sddmm_typed_call<float>(call);
  } else {
    sddmm_typed_call<double>(call);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_sddmm, brainfn::sddmm,
    xla::ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attr<xla::ffi::Span<const int64_t>>("meta"));
