// Plasticity rules in the loop: kernels over presynaptic or postsynaptic neurons, and changes of weights where these
// spike.
//
// A thread owns the weights onto its neurons. What belongs to postsynaptic neurons is shared, each thread has its range;
// of what belongs to presynaptic neurons each thread has a copy of its own.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

namespace {

// One that begins later in the memory of a buffer.
template <typename B>
Buffer from(const B& b, int64_t bytes) {
  return {static_cast<char*>(b.data) + bytes, b.dims};
}

// Traces before a step, for what reads them after it.
struct Copy {
  bool pre;
  int64_t bytes;  // of a number
  const char* from;
  char* to;
};

struct Pass {
  bool pre, late;  // over which neurons, and whether after the changes of weights
  void (*advance)(const void* call, int64_t from, int64_t to);
  std::shared_ptr<void> call;
};

// w = clip(w + x * (change + factor * w)), or clip(w + scale * x * change * |toward - w|^power) where newer > since, as
// `update.cc` has it. An array over the other neurons may be one number.
template <typename T>
struct Update {
  bool pre = true, power = false;
  bool everywhere = false;  // wherever x is not 0, not only where there are spikes
  const T* x = nullptr;  // null: 1 where there are spikes
  const T* change = nullptr;
  int64_t each_change = 0;  // 1 for an array, 0 for one number
  const T* factor = nullptr;
  int64_t each_factor = 0;
  const T* lower = nullptr;
  const T* upper = nullptr;
  const T* scale = nullptr;
  const T* toward = nullptr;
  const T* exponent = nullptr;
  const T* newer = nullptr;  // null: all change
  const T* since = nullptr;
};

// What one thread needs for a rule.
template <typename T>
struct Learning {
  std::vector<Copy> copies;
  std::vector<Pass> passes;
  std::vector<Update<T>> updates;
};

// A plasticity rule on the connections of a route.
template <typename T>
class Rule {
 public:
  int route = 0;
  int64_t arrived_bytes = 0, fired_bytes = 0;  // of a signal
  int64_t arrived = -1, fired = -1;            // numbers of their buffers, or -1
  // Weights by postsynaptic neuron: rows, where each column begins, and where the weights are.
  const int32_t* rows = nullptr;
  const void* indptr = nullptr;
  bool wide = false;
  const void* order = nullptr;
  bool order_wide = false;
  std::vector<Learning<T>> of;

  explicit Rule(int threads, int64_t n_pre, int64_t n_post) : of(threads), n_{n_pre, n_post} {}

  // A buffer over presynaptic or postsynaptic neurons; its number. With `real`, a state.
  int64_t add(bool pre, int64_t bytes, void* real) {
    Slot slot;
    slot.pre = pre;
    slot.bytes = bytes * n_[pre ? 0 : 1];
    slot.real = real;
    for (size_t t = 0; t < of.size(); ++t) {
      const bool own = real == nullptr ? pre || t == 0 : pre && t > 0;
      slot.own.emplace_back(own ? new char[slot.bytes + 64]() : nullptr);
    }
    slots_.push_back(std::move(slot));
    return static_cast<int64_t>(slots_.size()) - 1;
  }

  // The buffer of a thread.
  Buffer at(int t, int64_t i) const {
    const Slot& s = slots_[i];
    char* own = s.own[t].get();
    if (own == nullptr) own = s.real != nullptr ? static_cast<char*>(s.real) : s.own[0].get();
    return {own, n_ + (s.pre ? 0 : 1)};
  }

  // The copies of all threads are those of the first.
  void begin() {
    for (const Slot& s : slots_) {
      if (!s.pre || s.real == nullptr) continue;
      for (size_t t = 1; t < of.size(); ++t) std::memcpy(s.own[t].get(), s.real, s.bytes);
    }
  }

  void copy(int t, int64_t from, int64_t to) const {
    for (const Copy& c : of[t].copies) {
      const int64_t a = c.pre ? 0 : from * c.bytes, b = (c.pre ? n_[0] : to) * c.bytes;
      if (a < b) std::memcpy(c.to + a, c.from + a, b - a);
    }
  }

  void run(int t, bool late, int64_t from, int64_t to) const {
    for (const Pass& p : of[t].passes) {
      if (p.late != late) continue;
      if (p.pre) {
        p.advance(p.call.get(), 0, n_[0]);
      } else {
        p.advance(p.call.get(), from, to);
      }
    }
  }

  // Changes the weights [a, b) of a presynaptic neuron.
  void on_row(const Update<T>& u, T* w, const int32_t* columns, int64_t row, int64_t a, int64_t b) const {
    const T x = u.x == nullptr ? T(1) : u.x[row];
    if (x == T(0)) return;
    choose(u, [&](auto change) {
      for (int64_t k = a; k < b; ++k) change(w[k], x, row, columns[k]);
    });
  }

  // Changes the weights onto a postsynaptic neuron.
  void on_column(const Update<T>& u, T* w, int64_t column) const {
    const int64_t a = start(column), b = start(column + 1);
    if (order_wide) {
      in_range(u, w, column, a, b, static_cast<const int64_t*>(order));
    } else {
      in_range(u, w, column, a, b, static_cast<const int32_t*>(order));
    }
  }

  // Asks for where the weights onto a neuron are, and for these, before they are changed.
  void fetch_places(int64_t column) const {
    const int64_t size = order_wide ? 8 : 4;
    const int64_t a = start(column), b = std::min(start(column + 1), a + kMost);
    for (int64_t k = a; k < b; k += 16) __builtin_prefetch(rows + k);
    const char* places = static_cast<const char*>(order);
    for (int64_t k = a; k < b; k += 64 / size) __builtin_prefetch(places + k * size);
  }
  void fetch_weights(const T* w, int64_t column) const {
    const int64_t a = start(column), b = std::min(start(column + 1), a + kMost);
    for (int64_t k = a; k < b; ++k) {
      __builtin_prefetch(w + (order_wide ? static_cast<const int64_t*>(order)[k] : static_cast<const int32_t*>(order)[k]), 1);
    }
  }

 private:
  struct Slot {
    bool pre;
    int64_t bytes;
    void* real;
    std::vector<std::unique_ptr<char[]>> own;
  };

  int64_t start(int64_t column) const {
    return wide ? static_cast<const int64_t*>(indptr)[column] : static_cast<const int32_t*>(indptr)[column];
  }

  template <typename O>
  void in_range(const Update<T>& u, T* w, int64_t column, int64_t a, int64_t b, const O* places) const {
    const T x = u.x == nullptr ? T(1) : u.x[column];
    if (x == T(0)) return;
    choose(u, [&](auto change) {
      const int64_t asked = std::min(b, a + kMost);
      for (int64_t k = a; k < asked; ++k) change(w[places[k]], x, column, rows[k]);
      for (int64_t k = asked; k < b; ++k) {
        if (k + kAhead < b) __builtin_prefetch(w + places[k + kAhead], 1);
        change(w[places[k]], x, column, rows[k]);
      }
    });
  }

  // Calls `f` with a function that changes one weight.
  template <typename F>
  static void choose(const Update<T>& u, F f) {
    const T lower = *u.lower, upper = *u.upper;
    const auto clip = [lower, upper](T w) {
      const T raised = w < lower ? lower : w;
      return raised > upper ? upper : raised;
    };
    const T* const change = u.change;
    const int64_t each = u.each_change;
    if (!u.power) {
      f([&](T& w, T x, int64_t, int64_t other) {
        w = clip(w + x * (change[other * each] + u.factor[other * u.each_factor] * w));
      });
      return;
    }
    const T scale = *u.scale, toward = *u.toward, power = *u.exponent;
    const auto passes = [&](int64_t mine, int64_t other) {
      return u.newer == nullptr || u.newer[other] > u.since[mine];
    };
    if (power == T(0)) {
      if (u.newer == nullptr) {
        f([=](T& w, T x, int64_t, int64_t other) { w = clip(w + scale * x * change[other * each]); });
        return;
      }
      f([&](T& w, T x, int64_t mine, int64_t other) {
        if (passes(mine, other)) w = clip(w + scale * x * change[other * each]);
      });
    } else if (power == T(1)) {
      f([&](T& w, T x, int64_t mine, int64_t other) {
        if (passes(mine, other)) w = clip(w + scale * x * change[other * each] * std::abs(toward - w));
      });
    } else {
      f([&](T& w, T x, int64_t mine, int64_t other) {
        if (!passes(mine, other)) return;
        w = clip(w + scale * x * change[other * each] * std::pow(std::abs(toward - w), power));
      });
    }
  }

  static constexpr int64_t kAhead = 16, kMost = 128;

  const int64_t n_[2];
  std::vector<Slot> slots_;
};

}  // namespace
