// y[row] += sum of w * v[col] over the stored elements of a row.

#include <algorithm>

#include "active.h"
#include "call.h"
#include "dot.h"
#include "half.h"
#include "jit_call.h"
#include "pool.h"
#include "structure.h"

namespace brainfn {
namespace {

// Stored elements below which a second thread does not pay.
constexpr int64_t kThreadWork = 40000;
constexpr int64_t kAheadRow = 4;

// Parts for each thread: one that is slow, or has long rows, leaves parts to the others.
constexpr int kPartsPerThread = 8;

template <typename T, typename W, bool kScalar, bool kStream, typename S>
T row_dot(const S& s, int64_t row, const W* w, T scale, const T* v) {
  const int64_t end = s.end(row);
  int64_t k = s.begin(row);
  if constexpr (S::kPlain) {
    if (has_dot()) {
      const T sum = dot_avx2<kScalar, kStream>(s.indices + k, w + (kScalar ? 0 : k), end - k, v);
      return kScalar ? scale * sum : sum;
    }
  }
  auto term = [&](int64_t k) {
    const T value = v[s.place(row, k)];
    return kScalar ? value : load(w[s.weight(row, k)]) * value;
  };
  T a0 = 0, a1 = 0, a2 = 0, a3 = 0;
  for (; k + 4 <= end; k += 4) {
    a0 += term(k);
    a1 += term(k + 1);
    a2 += term(k + 2);
    a3 += term(k + 3);
  }
  for (; k < end; ++k) a0 += term(k);
  const T sum = (a0 + a1) + (a2 + a3);
  return kScalar ? scale * sum : sum;
}

template <typename T, typename W, bool kScalar, typename S>
void gather_rows(const S& s, int64_t first, int64_t last, const W* w, T scale, const T* v, T* y) {
  for (int64_t row = first; row < last; ++row) y[row] += row_dot<T, W, kScalar, true>(s, row, w, scale, v);
}

template <typename T, typename W, bool kScalar, typename S>
void gather_needed(const S& s, Range rows, int64_t row_offset, const W* w, T scale, const T* v, T* y) {
  for (const int32_t* p = rows.begin; p != rows.end; ++p) {
    if (p + 2 * kAheadRow < rows.end) s.fetch_pointer(p[2 * kAheadRow] - row_offset);
    if (p + kAheadRow < rows.end) {
      s.fetch_row(p[kAheadRow] - row_offset);
      if (!kScalar) s.fetch_weights(p[kAheadRow] - row_offset, w);
    }
    const int64_t row = *p - row_offset;
    y[row] += row_dot<T, W, kScalar, false>(s, row, w, scale, v);
  }
}

template <typename T>
void gather_block(const Call& call, const Active& needed, int64_t i, int part, int parts) {
  const Block& b = call.block(i);
  const Operand y = call.operand(kRows, b.array[kRows]);
  const Operand v = call.operand(kCols, b.array[kCols]);
  const Operand w = call.operand(kWeights, b.array[kWeights]);
  const BatchWalk walk = call.walk(b);
  // Each thread owns a range of the accumulator, whatever the blocks.
  const int64_t first = std::clamp<int64_t>(y.core_size() * part / parts - b.row_offset, 0, b.n_rows);
  const int64_t last = std::clamp<int64_t>(y.core_size() * (part + 1) / parts - b.row_offset, 0, b.n_rows);
  with_structure(call, b, [&](const auto& s) {
    for (int64_t e = 0; e < walk.count; ++e) {
      const int64_t we = walk.at(kWeights, e) * w.core_size();
      const T* ve = reinterpret_cast<const T*>(v.data) + walk.at(kCols, e) * v.core_size() + b.col_offset;
      T* ye = reinterpret_cast<T*>(y.data) + walk.at(kRows, e) * y.core_size() + b.row_offset;
      auto run = [&](const auto* weights, auto scalar, T scale) {
        using W = std::decay_t<decltype(*weights)>;
        constexpr bool kScalar = decltype(scalar)::value;
        if (b.need >= 0) {
          const Range rows =
              needed.range(b.need, walk.at(kNeeds, e), b.row_offset + first, b.row_offset + last);
          gather_needed<T, W, kScalar>(s, rows, b.row_offset, weights, scale, ve, ye);
        } else {
          gather_rows<T, W, kScalar>(s, first, last, weights, scale, ve, ye);
        }
      };
      if (w.core < 0) {
        run(static_cast<const T*>(nullptr), std::true_type{}, first_weight<T>(w, we));
      } else {
        with_weights<T>(w, [&](const auto* weights) { run(weights + we, std::false_type{}, T(0)); });
      }
    }
  });
}

template <typename T>
void gather_typed_call(const Call& call) {
  if (without_jit(call, gather_jit) == 0) return;
  const Active needed(call, kNeeds);
  double work = 0;
  for (int64_t i = 0; i < call.n_blocks(); ++i) {
    const Block& b = call.block(i);
    if (b.kind == kJit) continue;
    const BatchWalk walk = call.walk(b);
    const double mean = mean_row(call, b);
    for (int64_t e = 0; e < walk.count && work < 1e12; ++e) {
      work += mean * (b.need < 0 ? b.n_rows
                                 : needed.range(b.need, walk.at(kNeeds, e), b.row_offset, b.row_offset + b.n_rows).size());
    }
  }
  const bool threads = work > kThreadWork && max_threads() > 1;
  const int parts = threads ? kPartsPerThread * max_threads() : 1;
  auto part = [&](int t) {
    for (int64_t i = 0; i < call.n_blocks(); ++i) {
      if (call.block(i).kind != kJit) gather_block<T>(call, needed, i, t, parts);
    }
  };
  parallel(parts, part);
}

ffi::Error gather(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta) {
  const Call call(args, rets, meta, kRows);
  if (call.operand(kRows, 0).dtype == ffi::DataType::F32) {
    gather_typed_call<float>(call);
  } else {
    gather_typed_call<double>(call);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_gather, brainfn::gather,
    xla::ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attr<xla::ffi::Span<const int64_t>>("meta"));
