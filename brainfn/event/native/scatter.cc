// y[col] += x[row] * w over the stored elements of rows whose x is not zero.

#include <algorithm>
#include <type_traits>

#include "active.h"
#include "call.h"
#include "dot.h"
#include "half.h"
#include "jit_call.h"
#include "pool.h"
#include "structure.h"

namespace brainfn {
namespace {

// How far ahead of the current row the row pointers and then the row itself are fetched.
constexpr int64_t kAheadPointer = 8;
constexpr int64_t kAheadRow = 2;

// Synapses below which a second thread does not pay, and the mean length of a row below which the search for a
// thread's share of the row costs more than the share (rows of 80: two threads took 1.3 times as long as one).
constexpr double kThreadWork = 100000;
constexpr double kLongRow = 256;

// The columns of a block that a thread owns: [from, to) of n.
struct Columns {
  int64_t from, to, n;
  bool all() const { return from == 0 && to == n; }
  Share share() const { return {static_cast<float>(from) / n, static_cast<float>(to) / n}; }
};

// One batch element of one block, the given columns only. `x` is indexed by array position, structure by row.
template <typename T, typename W, bool kScalar, typename S>
void scatter_rows(const S& s, Range rows, int64_t row_offset, RowValues<T> x, const W* w, T scale,
                  const uint8_t* need, T* y, Columns columns) {
  const bool split = !columns.all();
  const Share share = split ? columns.share() : Share{};
  for (const int32_t* p = rows.begin; p != rows.end; ++p) {
    if (p + kAheadPointer < rows.end) s.fetch_pointer(p[kAheadPointer] - row_offset);
    if (p + kAheadRow < rows.end) {
      const int64_t ahead = p[kAheadRow] - row_offset;
      s.fetch_row(ahead, share);
      if (!kScalar) s.fetch_weights(ahead, w, share);
    }
    if (need && !need[*p]) continue;
    const int64_t row = *p - row_offset;
    int64_t k = s.begin(row);
    int64_t end = s.end(row);
    if (split) {
      // The first and the last thread search once.
      if (columns.from > 0) k = s.lower_bound(k, end, columns.from);
      if (columns.to < columns.n) end = s.lower_bound(k, end, columns.to);
    }
    const T value = kScalar ? x[*p] * scale : x[*p];
    if constexpr (std::is_same_v<S, Full> && !kScalar) {
      if (has_dot()) {
        add_row_avx2(w + k, value, y + s.place(row, k), end - k);
        continue;
      }
    }
    auto term = [&](int64_t k) { return kScalar ? value : value * load(w[s.weight(row, k)]); };
    for (; k + 4 <= end; k += 4) {
      const int64_t c0 = s.place(row, k), c1 = s.place(row, k + 1);
      const int64_t c2 = s.place(row, k + 2), c3 = s.place(row, k + 3);
      y[c0] += term(k);
      y[c1] += term(k + 1);
      y[c2] += term(k + 2);
      y[c3] += term(k + 3);
    }
    for (; k < end; ++k) y[s.place(row, k)] += term(k);
  }
}

template <typename T>
void scatter_block(const Call& call, const Active& active, int64_t i, int part, int parts, bool by_batch) {
  const Block& b = call.block(i);
  const Operand x = call.operand(kRows, b.array[kRows]);
  const Operand y = call.operand(kCols, b.array[kCols]);
  const Operand w = call.operand(kWeights, b.array[kWeights]);
  const BatchWalk walk = call.walk(b);
  if (part == 0) {
    note_structure(call, b);
    read_often(w.data, w.core_size() * bytes_of(w.dtype));
  }
  const int64_t first = by_batch ? walk.count * part / parts : 0;
  const int64_t last = by_batch ? walk.count * (part + 1) / parts : walk.count;
  // Ranges of the accumulator, not of the block, so that overlapping blocks agree about who owns an element.
  Columns columns{0, b.n_cols, b.n_cols};
  if (!by_batch) {
    const int64_t width = width_of(b, y);
    columns.from = std::clamp<int64_t>(width * part / parts - b.col_offset, 0, b.n_cols);
    columns.to = std::clamp<int64_t>(width * (part + 1) / parts - b.col_offset, 0, b.n_cols);
  }
  if (columns.from >= columns.to) return;
  with_structure(call, b, [&](const auto& s) {
    for (int64_t e = first; e < last; ++e) {
      const int64_t ex = walk.at(kRows, e);
      const Range rows = active.range(b.array[kRows], ex, b.row_offset, b.row_offset + b.n_rows);
      if (rows.size() == 0) continue;
      const int64_t we = walk.at(kWeights, e) * w.core_size();
      T* ye = reinterpret_cast<T*>(y.data) + walk.at(kCols, e) * y.core_size() + b.col_offset;
      const uint8_t* need = nullptr;
      if (b.need >= 0) {
        const Operand n = call.operand(kNeeds, b.need);
        need = reinterpret_cast<const uint8_t*>(n.data) + walk.at(kNeeds, e) * n.core_size();
      }
      const RowValues<T> xe(x, ex);
      if (w.core < 0) {
        const T* none = nullptr;
        scatter_rows<T, T, true>(s, rows, b.row_offset, xe, none, first_weight<T>(w, we), need, ye, columns);
      } else {
        with_weights<T>(w, [&](const auto* weights) {
          using W = std::decay_t<decltype(*weights)>;
          scatter_rows<T, W, false>(s, rows, b.row_offset, xe, weights + we, T(0), need, ye, columns);
        });
      }
    }
  });
}

template <typename T>
void scatter_typed_call(const Call& call) {
  if (without_jit(call, scatter_jit) == 0) return;
  const Active active(call, kRows);
  const bool by_batch = call.owns_batch(kCols, max_threads());
  int parts = 1;
  if (max_threads() > 1) {
    double work = 0, rows = 0;
    for (int64_t i = 0; i < call.n_blocks(); ++i) {
      const Block& b = call.block(i);
      if (b.kind == kJit) continue;
      const BatchWalk walk = call.walk(b);
      double active_rows = 0;
      for (int64_t e = 0; e < walk.count; ++e) {
        const int64_t ex = walk.at(kRows, e);
        active_rows += active.range(b.array[kRows], ex, b.row_offset, b.row_offset + b.n_rows).size();
      }
      rows += active_rows;
      work += active_rows * mean_row(call, b);
    }
    if (work > kThreadWork && (by_batch || work > kLongRow * rows)) parts = max_threads();
  }
  auto part = [&](int t) {
    for (int64_t i = 0; i < call.n_blocks(); ++i) {
      if (call.block(i).kind != kJit) scatter_block<T>(call, active, i, t, parts, by_batch && parts > 1);
    }
  };
  parallel(parts, part);
}

ffi::Error scatter(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta) {
  const Call call(args, rets, meta, kCols);
  if (call.operand(kCols, 0).dtype == ffi::DataType::F32) {
    scatter_typed_call<float>(call);
  } else {
    scatter_typed_call<double>(call);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(brainfn_scatter, brainfn::scatter,
                              xla::ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attr<xla::ffi::Span<const int64_t>>(
                                  "meta"));
