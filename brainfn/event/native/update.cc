// w = clip(w + x[row] * (a[col] + b[col] * w), lower, upper) over the stored elements of rows whose x is not zero, in
// place; the other weights stay as they are. Arrays over columns: a, b (each may be one number), lower, upper.

#include <algorithm>

#include "active.h"
#include "call.h"
#include "half.h"
#include "pool.h"
#include "structure.h"

namespace brainfn {
namespace {

constexpr int64_t kThreadWork = 40000;
constexpr int64_t kAheadRow = 4;

// An array over columns, or one number for all of them.
template <typename T>
struct PerColumn {
  const T* data;
  int64_t step;

  PerColumn(const Operand& v, int64_t element)
      : data(reinterpret_cast<const T*>(v.data) + element * v.core_size()), step(v.core < 0 ? 0 : 1) {}
  T operator[](int64_t i) const { return data[i * step]; }
};

template <typename T>
struct Rule {
  PerColumn<T> change, factor;
  T lower, upper;

  T operator()(T w, T x, int64_t column) const {
    const T moved = w + x * (change[column] + factor[column] * w);
    return moved < lower ? lower : moved > upper ? upper : moved;
  }
};

template <typename T, typename W, typename S>
void update_rows(const S& s, const int32_t* begin, const int32_t* end, RowValues<T> x, const Rule<T>& rule, W* w) {
  for (const int32_t* p = begin; p != end; ++p) {
    if (p + 2 * kAheadRow < end) s.fetch_pointer(p[2 * kAheadRow]);
    if (p + kAheadRow < end) {
      s.fetch_row(p[kAheadRow]);
      s.fetch_weights(p[kAheadRow], w);
    }
    const int64_t row = *p, last = s.end(row);
    const T value = x[row];
    for (int64_t k = s.begin(row); k < last; ++k) {
      W& to = w[s.weight(row, k)];
      store(to, rule(load(to), value, s.place(row, k)));
    }
  }
}

template <typename T>
void update_block(const Call& call) {
  const Active active(call, kRows);
  const Block& b = call.block(0);
  const Operand x = call.operand(kRows, 0);
  const Operand w = call.operand(kWeights, 0);
  const BatchWalk walk = call.walk(b);
  const double mean = mean_row(call, b);
  with_structure(call, b, [&](const auto& s) {
    for (int64_t e = 0; e < walk.count; ++e) {
      const int64_t ex = walk.at(kRows, e), ec = walk.at(kCols, e);
      const Range rows = active.range(0, ex, 0, b.n_rows);
      if (rows.size() == 0) continue;
      const Rule<T> rule{{call.operand(kCols, 0), ec},
                         {call.operand(kCols, 1), ec},
                         PerColumn<T>(call.operand(kCols, 2), ec)[0],
                         PerColumn<T>(call.operand(kCols, 3), ec)[0]};
      const RowValues<T> xe(x, ex);
      const int64_t we = walk.at(kWeights, e) * w.core_size();
      const int parts = mean * rows.size() > kThreadWork ? max_threads() : 1;
      auto part = [&](int t) {
        const int64_t from = rows.size() * t / parts, to = rows.size() * (t + 1) / parts;
        with_weights<T>(w, [&](auto* weights) {
          update_rows<T>(s, rows.begin + from, rows.begin + to, xe, rule, weights + we);
        });
      };
      parallel(parts, part);
    }
  });
}

ffi::Error update(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta) {
  const Call call(args, rets, meta, kWeights);
  if (call.operand(kCols, 0).dtype == ffi::DataType::F32) {
    update_block<float>(call);
  } else {
    update_block<double>(call);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_update, brainfn::update,
    xla::ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attr<xla::ffi::Span<const int64_t>>("meta"));
