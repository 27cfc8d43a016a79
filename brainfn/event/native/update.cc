// Changes stored elements of rows whose x is not zero, in place; the other elements stay as they are. Three rules, see
// _update.py and _eligibility.py; an array over columns may be one number.
//
//   linear:       w = clip(w + x[row] * (change[col] + factor[col] * w))
//   power:        w = clip(w + x[row] * change[col] * |toward - w|^power), where newer[col] > since[row] if given
//   eligibility:  w = clip(w + e * (integral - seen)), seen = restart, e = keep * e + x[row] * change[col]

#include <algorithm>
#include <cmath>

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
struct Clip {
  T lower, upper;

  T operator()(T w) const { return w < lower ? lower : w > upper ? upper : w; }
};

// Where a call is in its batch: the elements of the arrays over rows, over columns and of weights.
struct Place {
  int64_t row, column, weight;
};

template <typename T>
T number(const Call& call, int64_t i, const Place& at) {
  return PerColumn<T>(call.operand(kCols, i), at.column)[0];
}

template <typename T>
struct Linear {
  PerColumn<T> change, factor;
  Clip<T> clip;

  Linear(const Call& call, const Place& at)
      : change(call.operand(kCols, 0), at.column),
        factor(call.operand(kCols, 1), at.column),
        clip{number<T>(call, 2, at), number<T>(call, 3, at)} {}

  template <typename F>
  void choose(F f) const {
    f([this](auto& w, int64_t, T x, int64_t, int64_t column) {
      const T old = load(w);
      store(w, clip(old + x * (change[column] + factor[column] * old)));
    });
  }
};

template <typename T>
struct Power {
  PerColumn<T> change;
  Clip<T> clip;
  T toward, power;
  const T* newer = nullptr;
  const T* since = nullptr;

  Power(const Call& call, const Place& at)
      : change(call.operand(kCols, 0), at.column),
        clip{number<T>(call, 1, at), number<T>(call, 2, at)},
        toward(number<T>(call, 3, at)),
        power(number<T>(call, 4, at)) {
    if (call.n(kRows) > 1) {
      const Operand n = call.operand(kCols, 5), s = call.operand(kRows, 1);
      newer = reinterpret_cast<const T*>(n.data) + at.column * n.core_size();
      since = reinterpret_cast<const T*>(s.data) + at.row * s.core_size();
    }
  }

  // The usual powers have loops of their own.
  template <typename F>
  void choose(F f) const {
    if (power == T(0)) {
      f([this](auto& w, int64_t, T x, int64_t row, int64_t column) {
        if (passes(row, column)) store(w, clip(load(w) + x * change[column]));
      });
    } else if (power == T(1)) {
      f([this](auto& w, int64_t, T x, int64_t row, int64_t column) {
        const T old = load(w);
        if (passes(row, column)) store(w, clip(old + x * change[column] * std::abs(toward - old)));
      });
    } else {
      f([this](auto& w, int64_t, T x, int64_t row, int64_t column) {
        const T old = load(w);
        if (passes(row, column)) {
          store(w, clip(old + x * change[column] * std::pow(std::abs(toward - old), power)));
        }
      });
    }
  }

  bool passes(int64_t row, int64_t column) const { return newer == nullptr || newer[column] > since[row]; }
};

template <typename T>
struct Eligibility {
  PerColumn<T> change;
  Clip<T> clip;
  T integral, restart, keep;
  T* trace;
  T* seen;

  Eligibility(const Call& call, const Place& at)
      : change(call.operand(kCols, 0), at.column),
        clip{number<T>(call, 1, at), number<T>(call, 2, at)},
        integral(number<T>(call, 3, at)),
        restart(number<T>(call, 4, at)),
        keep(number<T>(call, 5, at)),
        trace(reinterpret_cast<T*>(call.operand(kWeights, 1).data) + at.weight),
        seen(reinterpret_cast<T*>(call.operand(kWeights, 2).data) + at.weight) {}

  template <typename F>
  void choose(F f) const {
    f([this](auto& w, int64_t k, T x, int64_t, int64_t column) {
      store(w, clip(load(w) + trace[k] * (integral - seen[k])));
      seen[k] = restart;
      trace[k] = keep * trace[k] + x * change[column];
    });
  }
};

template <typename T, typename W, typename S, typename Change>
void update_rows(const S& s, const int32_t* begin, const int32_t* end, RowValues<T> x, const Change& change, W* w) {
  for (const int32_t* p = begin; p != end; ++p) {
    if (p + 2 * kAheadRow < end) s.fetch_pointer(p[2 * kAheadRow]);
    if (p + kAheadRow < end) {
      s.fetch_row(p[kAheadRow]);
      s.fetch_weights(p[kAheadRow], w);
    }
    const int64_t row = *p, last = s.end(row);
    const T value = x[row];
    for (int64_t k = s.begin(row); k < last; ++k) {
      const int64_t at = s.weight(row, k);
      change(w[at], at, value, row, s.place(row, k));
    }
  }
}

template <typename T, template <typename> class Rule>
void update_block(const Call& call) {
  const Active active(call, kRows);
  const Block& b = call.block(0);
  const Operand x = call.operand(kRows, 0);
  const Operand w = call.operand(kWeights, 0);
  const BatchWalk walk = call.walk(b);
  const double mean = mean_row(call, b);
  with_structure(call, b, [&](const auto& s) {
    for (int64_t e = 0; e < walk.count; ++e) {
      const Place at{walk.at(kRows, e), walk.at(kCols, e), walk.at(kWeights, e) * w.core_size()};
      const Range rows = active.range(0, at.row, 0, b.n_rows);
      if (rows.size() == 0) continue;
      const Rule<T> rule(call, at);
      const RowValues<T> xe(x, at.row);
      const int parts = mean * rows.size() > kThreadWork ? max_threads() : 1;
      rule.choose([&](const auto& change) {
        auto part = [&](int t) {
          const int64_t from = rows.size() * t / parts, to = rows.size() * (t + 1) / parts;
          with_weights<T>(w, [&](auto* weights) {
            update_rows<T>(s, rows.begin + from, rows.begin + to, xe, change, weights + at.weight);
          });
        };
        parallel(parts, part);
      });
    }
  });
}

template <template <typename> class Rule>
ffi::Error update(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta) {
  const Call call(args, rets, meta, kWeights);
  if (call.operand(kCols, 0).dtype == ffi::DataType::F32) {
    update_block<float, Rule>(call);
  } else {
    update_block<double, Rule>(call);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

#define BRAINFN_UPDATE(name, rule)                                                              \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(                                                                \
      name, brainfn::update<brainfn::rule>,                                                     \
      xla::ffi::Ffi::Bind().RemainingArgs().RemainingRets().Attr<xla::ffi::Span<const int64_t>>("meta"))

BRAINFN_UPDATE(brainfn_update, Linear);
BRAINFN_UPDATE(brainfn_update_power, Power);
BRAINFN_UPDATE(brainfn_update_eligibility, Eligibility);
