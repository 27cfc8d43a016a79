// Layers of neurons over all steps of many examples, and their adjoint.
//
// A part owns whole examples, and keeps what one example needs in cache: the active inputs of each step as a list, the
// product with the weights, the states of all steps. The adjoint makes the states again from the inputs instead of
// reading them from memory. Gradients of weights are summed in a number of parts that does not depend on the number of
// threads, and then in order: the results have the same bits for any number of threads.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

namespace {

// The lanes of a comparison as bits.
template <typename M>
INLINE uint32_t bits_of(M m) {
  constexpr int lanes = sizeof(M) / sizeof(m[0]);
  if constexpr (sizeof(M) == 64) {
    typedef std::remove_cv_t<std::remove_reference_t<decltype(m[0])>> L;
    typedef L half __attribute__((vector_size(32)));
    half low, high;
    std::memcpy(&low, &m, 32);
    std::memcpy(&high, reinterpret_cast<const char*>(&m) + 32, 32);
    return bits_of(low) | bits_of(high) << (lanes / 2);
  }
#if defined(__AVX2__)
  if constexpr (sizeof(M) == 32) {
    typedef float v8 __attribute__((vector_size(32)));
    typedef double v4 __attribute__((vector_size(32)));
    if constexpr (lanes == 8) {
      return static_cast<uint32_t>(__builtin_ia32_movmskps256((v8)m));
    } else {
      return static_cast<uint32_t>(__builtin_ia32_movmskpd256((v4)m));
    }
  }
#endif
  uint32_t on = 0;
  for (int i = 0; i < lanes; ++i) on |= (m[i] ? 1u : 0u) << i;
  return on;
}

// An array that begins with a line of the cache.
struct Free {
  void operator()(void* p) const { std::free(p); }
};
template <typename T>
using Array = std::unique_ptr<T[], Free>;

template <typename T>
Array<T> array(int64_t n) {
  return Array<T>(static_cast<T*>(std::aligned_alloc(64, (n * sizeof(T) + 64) / 64 * 64)));
}

template <typename T>
Array<T> zeros(int64_t n) {
  Array<T> out = array<T>(n);
  std::memset(static_cast<void*>(out.get()), 0, n * sizeof(T));
  return out;
}

// How the inputs of the first layer are stored.
enum class Stored { numbers, bools, bits };

// Entries of a row that are not zero. Where all are one, their values are not needed.
template <typename T>
struct Row {
  const int32_t* index = nullptr;
  const T* value = nullptr;
  int64_t count = 0;
  bool ones = true;
  const T* whole = nullptr;  // the row as it is, if it is mostly not zero
};

template <typename T>
class Rows {
 public:
  // Room for `rows` rows of `width` entries.
  Rows(int64_t rows, int64_t width) : width_(width), index_(array<int32_t>(rows * width)), value_(array<T>(rows * width)), rows_(rows) {}

  const Row<T>& operator[](int64_t t) const { return rows_[t]; }

  void read(int64_t t, const T* x, int64_t n) {
    using V = std::conditional_t<sizeof(T) == 8, f64, f32>;
    constexpr int64_t lanes = sizeof(V) / sizeof(T), many = 32 / lanes;
    int32_t* index = index_.get() + t * width_;
    T* value = value_.get() + t * width_;
    int64_t count = 0, i = 0;
    bool ones = true;
    for (; i + 32 <= n; i += 32) {
      uint32_t on = 0, one = 0;
      for (int64_t j = 0; j < many; ++j) {
        const V v = load<V>(x + i + j * lanes);
        on |= bits_of(v != 0) << (j * lanes);
        one |= bits_of(v == 1) << (j * lanes);
      }
      ones = ones && on == one;
      for (; on != 0; on &= on - 1) {
        const int64_t at = i + __builtin_ctz(on);
        index[count] = static_cast<int32_t>(at);
        value[count++] = x[at];
      }
    }
    for (; i < n; ++i) {
      if (x[i] == 0) continue;
      ones = ones && x[i] == 1;
      index[count] = static_cast<int32_t>(i);
      value[count++] = x[i];
    }
    rows_[t] = {index, value, count, ones, 2 * count > n ? x : nullptr};
  }

  void read(int64_t t, const uint8_t* x, int64_t n) {
    int32_t* index = index_.get() + t * width_;
    int64_t count = 0;
    for (int64_t i = 0; i < n;) {
      uint64_t some = 0;
      if (i + 8 <= n) {
        std::memcpy(&some, x + i, 8);
        if (some == 0) {
          i += 8;
          continue;
        }
      }
      const int64_t end = std::min<int64_t>(i + 8, n);
      for (; i < end; ++i) {
        index[count] = static_cast<int32_t>(i);
        count += x[i] != 0;
      }
    }
    rows_[t] = {index, nullptr, count, true, nullptr};
  }

  // The highest bit of the first byte is the first entry.
  void read_bits(int64_t t, const uint8_t* x, int64_t n) {
    int32_t* index = index_.get() + t * width_;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 64) {
      const int64_t left = std::min<int64_t>((n - i + 7) / 8, 8);
      uint64_t on = 0;
      for (int64_t b = 0; b < left; ++b) on |= static_cast<uint64_t>(x[i / 8 + b]) << (56 - 8 * b);
      while (on != 0) {
        const int at = __builtin_clzll(on);
        if (i + at >= n) break;
        index[count++] = static_cast<int32_t>(i + at);
        on &= ~(uint64_t{1} << (63 - at));
      }
    }
    rows_[t] = {index, nullptr, count, true, nullptr};
  }

 private:
  int64_t width_;
  Array<int32_t> index_;
  Array<T> value_;
  std::vector<Row<T>> rows_;
};

// A matrix as blocks of columns, each of which lies together and fits into registers row by row: with rows one after
// the other, the entries of a few columns would share a small part of the cache. The last block may be narrower, and is
// filled up with zeros.
template <typename T>
class Blocked {
 public:
  using V = std::conditional_t<sizeof(T) == 8, f64, f32>;
  static constexpr int64_t lanes = sizeof(V) / sizeof(T), many = 8 * kRegister / sizeof(V), wide = many * lanes;

  Blocked() = default;
  Blocked(int64_t rows, int64_t columns) : rows_(rows), columns_(columns) {
    int64_t last = 1;
    while (last * lanes < columns % wide) last *= 2;
    last_ = columns % wide == 0 ? 0 : last;
    data_ = zeros<T>(rows * (columns / wide * wide + last_ * lanes));
  }

  explicit operator bool() const { return data_ != nullptr; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }

  // Calls `f(first column, number of columns, block, vectors)` with the vectors of a row as a type.
  template <typename F>
  void blocks(F&& f) const {
    T* block = data_.get();
    int64_t c = 0;
    for (; c + wide <= columns_; c += wide, block += rows_ * wide) f(c, wide, block, std::integral_constant<int64_t, many>());
    const int64_t left = columns_ - c;
    if (last_ == 1) f(c, left, block, std::integral_constant<int64_t, 1>());
    if (last_ == 2) f(c, left, block, std::integral_constant<int64_t, 2>());
    if (last_ == 4) f(c, left, block, std::integral_constant<int64_t, 4>());
    if constexpr (many > 4) {
      if (last_ == 8) f(c, left, block, std::integral_constant<int64_t, 8>());
    }
    if constexpr (many > 8) {
      if (last_ == 16) f(c, left, block, std::integral_constant<int64_t, 16>());
    }
  }

  void fill(const T* from) {
    blocks([&](int64_t c, int64_t n, T* block, auto vectors) {
      for (int64_t i = 0; i < rows_; ++i) std::memcpy(block + i * vectors * lanes, from + i * columns_ + c, n * sizeof(T));
    });
  }

  // From the transposed matrix.
  void fill_transposed(const T* from) {
    blocks([&](int64_t c, int64_t n, T* block, auto vectors) {
      constexpr int64_t kTile = 16;
      for (int64_t first = 0; first < rows_; first += kTile) {
        const int64_t stop = std::min(first + kTile, rows_);
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t i = first; i < stop; ++i) block[i * vectors * lanes + j] = from[(c + j) * rows_ + i];
        }
      }
    });
  }

  // Adds its rows [first, stop) to `out`.
  void add_to(T* out, int64_t first, int64_t stop) const {
    blocks([&](int64_t c, int64_t n, const T* block, auto vectors) {
      for (int64_t i = first; i < stop; ++i) {
        const T* row = block + i * vectors * lanes;
        T* to = out + i * columns_ + c;
        for (int64_t j = 0; j < n; ++j) to[j] += row[j];
      }
    });
  }

 private:
  int64_t rows_ = 0, columns_ = 0, last_ = 0;
  Array<T> data_;
};

// sum[j] += sum over entries of value * vector j of row `index` of a block.
template <typename T, int64_t kVectors, bool kOnes, typename V>
INLINE void gather(const Row<T>& row, const T* block, V* sum) {
  constexpr int64_t lanes = Blocked<T>::lanes;
  for (int64_t k = 0; k < row.count; ++k) {
    const T* from = block + row.index[k] * (kVectors * lanes);
    if constexpr (kOnes) {
#pragma GCC unroll 16
      for (int64_t j = 0; j < kVectors; ++j) sum[j] += load<V>(from + j * lanes);
    } else {
      const V by = splat<V>(row.value[k]);
#pragma GCC unroll 16
      for (int64_t j = 0; j < kVectors; ++j) sum[j] = fma(by, load<V>(from + j * lanes), sum[j]);
    }
  }
}

template <typename T, int64_t kVectors, typename V>
INLINE void gather(const Row<T>& row, const T* block, V* sum) {
  if (row.ones) {
    gather<T, kVectors, true>(row, block, sum);
  } else {
    gather<T, kVectors, false>(row, block, sum);
  }
}

// Some rows that are mostly not zero at once, which read each row of a block only once; the same bits as one by one.
constexpr int64_t kRowsAtOnce = 4;
template <typename T, int64_t kVectors, typename V>
INLINE void gather_whole(const Row<T>* rows, int64_t n_in, const T* block, V* sums) {
  constexpr int64_t lanes = Blocked<T>::lanes, kPair = kVectors < 2 ? 1 : 2;
  for (int64_t j = 0; j < kVectors; j += kPair) {
    V sum[kRowsAtOnce][kPair];
#pragma GCC unroll 4
    for (int64_t r = 0; r < kRowsAtOnce; ++r) {
#pragma GCC unroll 2
      for (int64_t i = 0; i < kPair; ++i) sum[r][i] = sums[r * kVectors + j + i];
    }
    const T* from = block + j * lanes;
    for (int64_t k = 0; k < n_in; ++k, from += kVectors * lanes) {
      V w[kPair];
#pragma GCC unroll 2
      for (int64_t i = 0; i < kPair; ++i) w[i] = load<V>(from + i * lanes);
#pragma GCC unroll 4
      for (int64_t r = 0; r < kRowsAtOnce; ++r) {
        const V by = splat<V>(rows[r].whole[k]);
#pragma GCC unroll 2
        for (int64_t i = 0; i < kPair; ++i) sum[r][i] = fma(by, w[i], sum[r][i]);
      }
    }
#pragma GCC unroll 4
    for (int64_t r = 0; r < kRowsAtOnce; ++r) {
#pragma GCC unroll 2
      for (int64_t i = 0; i < kPair; ++i) sums[r * kVectors + j + i] = sum[r][i];
    }
  }
}

// out[t] (+)= rows[t] @ w for some steps.
template <typename T>
void product(const Rows<T>& rows, int64_t first, int64_t stop, const Blocked<T>& w, T* out, bool add) {
  using V = typename Blocked<T>::V;
  constexpr int64_t lanes = Blocked<T>::lanes;
  w.blocks([&](int64_t c, int64_t n, const T* block, auto vectors) {
    constexpr int64_t kVectors = decltype(vectors)::value;
    int64_t t = first;
    while (t < stop) {
      int64_t many = 0;
      while (many < kRowsAtOnce && t + many < stop && rows[t + many].whole != nullptr) ++many;
      T* to = out + t * w.columns() + c;
      if (many == kRowsAtOnce) {
        V sums[kRowsAtOnce * kVectors] = {};
        for (int64_t r = 0; r < many && add; ++r) std::memcpy(sums + r * kVectors, to + r * w.columns(), n * sizeof(T));
        gather_whole<T, kVectors>(&rows[t], w.rows(), block, sums);
        for (int64_t r = 0; r < many; ++r) std::memcpy(to + r * w.columns(), sums + r * kVectors, n * sizeof(T));
        t += many;
        continue;
      }
      V sum[kVectors] = {};
      if (add) std::memcpy(sum, to, n * sizeof(T));
      gather<T, kVectors>(rows[t], block, sum);
      if (n == kVectors * lanes) {
#pragma GCC unroll 16
        for (int64_t j = 0; j < kVectors; ++j) store(to + j * lanes, sum[j]);
      } else {
        std::memcpy(to, sum, n * sizeof(T));
      }
      ++t;
    }
  });
}

// The entries of `rows` by column: for each input, the steps in which it was active.
template <typename T>
class ByInput {
 public:
  void sort(const Rows<T>& rows, int64_t steps, int64_t n) {
    start_.assign(n + 1, 0);
    ones_ = true;
    for (int64_t t = 0; t < steps; ++t) {
      ones_ = ones_ && rows[t].ones;
      for (int64_t k = 0; k < rows[t].count; ++k) ++start_[rows[t].index[k] + 1];
    }
    for (int64_t i = 0; i < n; ++i) start_[i + 1] += start_[i];
    at_.assign(start_.begin(), start_.end() - 1);
    step_.resize(start_[n]);
    value_.resize(ones_ ? 0 : start_[n]);
    for (int64_t t = 0; t < steps; ++t) {
      const Row<T>& row = rows[t];
      for (int64_t k = 0; k < row.count; ++k) {
        const int64_t at = at_[row.index[k]]++;
        step_[at] = static_cast<int32_t>(t);
        if (!ones_) value_[at] = row.ones ? T(1) : row.value[k];
      }
    }
  }

  Row<T> operator[](int64_t i) const {
    const int64_t a = start_[i];
    return {step_.data() + a, value_.data() + (ones_ ? 0 : a), start_[i + 1] - a, ones_, nullptr};
  }

 private:
  bool ones_ = true;
  std::vector<int64_t> start_, at_;
  std::vector<int32_t> step_;
  std::vector<T> value_;
};

// dw[i] += sum over steps of x[t, i] * delta[t].
template <typename T>
void outer(const ByInput<T>& inputs, const Blocked<T>& delta, Blocked<T>& dw) {
  using V = typename Blocked<T>::V;
  constexpr int64_t lanes = Blocked<T>::lanes;
  std::vector<const T*> deltas;
  delta.blocks([&](int64_t, int64_t, const T* block, auto) { deltas.push_back(block); });
  size_t k = 0;
  dw.blocks([&](int64_t, int64_t, T* block, auto vectors) {
    constexpr int64_t kVectors = decltype(vectors)::value;
    const T* of = deltas[k++];
    for (int64_t i = 0; i < dw.rows(); ++i) {
      const Row<T> row = inputs[i];
      if (row.count == 0) continue;
      T* to = block + i * kVectors * lanes;
      V sum[kVectors];
#pragma GCC unroll 16
      for (int64_t j = 0; j < kVectors; ++j) sum[j] = load<V>(to + j * lanes);
      gather<T, kVectors>(row, of, sum);
#pragma GCC unroll 16
      for (int64_t j = 0; j < kVectors; ++j) store(to + j * lanes, sum[j]);
    }
  });
}

// Gives a kernel the address of one of its arrays.
template <typename P>
INLINE void bind_to(P*& pointer, const void* from) {
  pointer = static_cast<P*>(const_cast<void*>(from));
}

// A variable of the neurons of a layer.
struct Leaf {
  int bytes = 4;
  const char* start = nullptr;
  int64_t stride = 0;         // bytes from one example to the next; 0 if all begin alike
  char* end = nullptr;        // of all examples
  int gradient = -1;          // which of the cotangents it has; -1 if it is not a float
  const char* end_bar = nullptr;
  char* start_bar = nullptr;  // null if not wanted
};

// A constant of the neurons whose gradient is wanted: the sum over neurons if it is one number.
struct Wanted {
  bool scalar = false;
  void* out = nullptr;
};

template <typename T>
struct Layer {
  int64_t n_in = 0, n = 0;
  const T* weight = nullptr;     // (n_in, n); null if the inputs are currents
  const T* recurrent = nullptr;  // (n, n) or null
  const T* previous = nullptr;   // outputs of the step before the first, with recurrent weights
  int64_t previous_stride = 0;
  std::vector<Leaf> leaves;
  void (*forward)(const void* call, const void* current, const void* const* before, void* const* after, void* out) = nullptr;
  const void* call = nullptr;
  T* totals = nullptr;  // sums of outputs over the steps
  T* last = nullptr;    // outputs of the last step

  void (*backward)(const void* call, const void* current, const void* const* before, const void* out_bar,
                   void* const* bars, void* delta, void* const* sums) = nullptr;
  const void* back = nullptr;
  const T* totals_bar = nullptr;
  const T* last_bar = nullptr;
  T* weight_bar = nullptr;
  T* recurrent_bar = nullptr;
  T* previous_bar = nullptr;
  std::vector<Wanted> wanted;
};

template <typename T>
struct Layers {
  int64_t examples = 1, steps = 0;
  Stored stored = Stored::numbers;
  const void* inputs = nullptr;
  int64_t row = 0;  // bytes of the inputs of one step
  std::vector<Layer<T>> layers;
  T* outputs = nullptr;            // of the last layer
  const T* outputs_bar = nullptr;
  T* inputs_bar = nullptr;         // null if not wanted
};

// The weights as they are read.
template <typename T>
struct Weights {
  std::vector<Blocked<T>> weight, recurrent, weight_back, recurrent_back;

  Weights(const Layers<T>& all, bool backward) {
    for (size_t l = 0; l < all.layers.size(); ++l) {
      const Layer<T>& layer = all.layers[l];
      const bool flows = backward && (l > 0 || all.inputs_bar != nullptr);
      weight.push_back(plain(layer.weight, layer.n_in, layer.n));
      recurrent.push_back(plain(layer.recurrent, layer.n, layer.n));
      weight_back.push_back(transposed(flows ? layer.weight : nullptr, layer.n_in, layer.n));
      recurrent_back.push_back(transposed(backward ? layer.recurrent : nullptr, layer.n, layer.n));
    }
  }

 private:
  static Blocked<T> plain(const T* w, int64_t rows, int64_t columns) {
    if (w == nullptr) return {};
    Blocked<T> out(rows, columns);
    out.fill(w);
    return out;
  }

  static Blocked<T> transposed(const T* w, int64_t rows, int64_t columns) {
    if (w == nullptr) return {};
    Blocked<T> out(columns, rows);
    out.fill_transposed(w);
    return out;
  }
};

// What a part needs for one example after the other.
template <typename T>
class Worker {
 public:
  Worker(const Layers<T>& all, const Weights<T>& weights, bool keeps) : all_(all), weights_(weights), keeps_(keeps) {
    for (const Layer<T>& layer : all.layers) {
      const int64_t steps = all.steps;
      inputs_.emplace_back(steps, layer.weight == nullptr ? 0 : layer.n_in);
      outputs_.push_back(array<T>(steps * layer.n));
      currents_.push_back(layer.weight == nullptr && layer.recurrent == nullptr ? nullptr : array<T>(steps * layer.n));
      own_.emplace_back(layer.recurrent == nullptr ? 0 : steps + 1, layer.recurrent == nullptr ? 0 : layer.n);
      std::vector<Array<char>> states;
      for (const Leaf& leaf : layer.leaves) states.push_back(array<char>((keeps ? steps + 1 : 1) * layer.n * leaf.bytes));
      states_.push_back(std::move(states));
    }
  }

  void forward(int64_t example) {
    for (size_t l = 0; l < all_.layers.size(); ++l) {
      const Layer<T>& layer = all_.layers[l];
      const int64_t n = layer.n, steps = all_.steps;
      const bool last = l + 1 == all_.layers.size();
      T* out = last && all_.outputs != nullptr ? all_.outputs + example * steps * n : outputs_[l].get();
      if (layer.weight != nullptr) {
        read(l, example);
        product(inputs_[l], 0, steps, weights_.weight[l], currents_[l].get(), false);
      } else if (layer.recurrent != nullptr) {
        std::memcpy(currents_[l].get(), given(l, example), sizeof(T) * steps * n);
      }
      if (layer.recurrent != nullptr) own_[l].read(0, layer.previous + example * layer.previous_stride, n);
      const T* current = currents_[l] == nullptr ? given(l, example) : currents_[l].get();
      begin(l, example);
      const size_t leaves = layer.leaves.size();
      const void* before[kMost];
      void* after[kMost];
      for (int64_t t = 0; t < steps; ++t) {
        if (layer.recurrent != nullptr) {
          T* sums = currents_[l].get();
          product(own_[l], t, t + 1, weights_.recurrent[l], sums, true);
        }
        for (size_t k = 0; k < leaves; ++k) {
          before[k] = state(l, k, t);
          after[k] = state(l, k, t + 1);
        }
        layer.forward(layer.call, current + t * n, before, after, out + t * n);
        if (layer.recurrent != nullptr && t + 1 < steps) own_[l].read(t + 1, out + t * n, n);
      }
      latest_ = out;
      if (keeps_) continue;
      for (size_t k = 0; k < leaves; ++k) {
        const Leaf& leaf = layer.leaves[k];
        std::memcpy(leaf.end + example * n * leaf.bytes, state(l, k, steps), n * leaf.bytes);
      }
      T* total = layer.totals + example * n;
      for (int64_t i = 0; i < n; ++i) total[i] = 0;
      for (int64_t t = 0; t < steps; ++t) {
        for (int64_t i = 0; i < n; ++i) total[i] += out[t * n + i];
      }
      if (layer.last != nullptr) {
        const T* from = steps > 0 ? out + (steps - 1) * n : layer.previous + example * layer.previous_stride;
        std::memcpy(layer.last + example * n, from, sizeof(T) * n);
      }
    }
  }

  static constexpr size_t kMost = 64;

  const T* given(size_t l, int64_t example) const {
    if (l > 0) return latest_;
    return static_cast<const T*>(all_.inputs) + example * all_.steps * all_.layers[0].n_in;
  }

  void read(size_t l, int64_t example) {
    const int64_t n = all_.layers[l].n_in;
    for (int64_t t = 0; t < all_.steps; ++t) {
      if (l > 0) {
        inputs_[l].read(t, latest_ + t * n, n);
        continue;
      }
      const char* row = static_cast<const char*>(all_.inputs) + (example * all_.steps + t) * all_.row;
      if (all_.stored == Stored::numbers) {
        inputs_[l].read(t, reinterpret_cast<const T*>(row), n);
      } else if (all_.stored == Stored::bools) {
        inputs_[l].read(t, reinterpret_cast<const uint8_t*>(row), n);
      } else {
        inputs_[l].read_bits(t, reinterpret_cast<const uint8_t*>(row), n);
      }
    }
  }

  void begin(size_t l, int64_t example) {
    const Layer<T>& layer = all_.layers[l];
    for (size_t k = 0; k < layer.leaves.size(); ++k) {
      const Leaf& leaf = layer.leaves[k];
      std::memcpy(states_[l][k].get(), leaf.start + example * leaf.stride, layer.n * leaf.bytes);
    }
  }

  char* state(size_t l, size_t k, int64_t t) {
    const Layer<T>& layer = all_.layers[l];
    return states_[l][k].get() + (keeps_ ? t * layer.n * layer.leaves[k].bytes : 0);
  }

 protected:
  const Layers<T>& all_;
  const Weights<T>& weights_;
  const bool keeps_;
  const T* latest_ = nullptr;
  std::vector<Rows<T>> inputs_, own_;
  std::vector<Array<T>> outputs_, currents_;
  std::vector<std::vector<Array<char>>> states_;
};

// Sums of gradients over the examples of one part.
template <typename T>
struct Sums {
  std::vector<Blocked<T>> weight, recurrent;
  std::vector<std::vector<Array<T>>> wanted;

  explicit Sums(const Layers<T>& all) {
    for (const Layer<T>& layer : all.layers) {
      weight.push_back(layer.weight_bar == nullptr ? Blocked<T>() : Blocked<T>(layer.n_in, layer.n));
      recurrent.push_back(layer.recurrent_bar == nullptr ? Blocked<T>() : Blocked<T>(layer.n, layer.n));
      std::vector<Array<T>> own;
      for (size_t k = 0; k < layer.wanted.size(); ++k) own.push_back(zeros<T>(layer.n));
      wanted.push_back(std::move(own));
    }
  }
};

template <typename T>
class BackWorker : public Worker<T> {
  using Base = Worker<T>;
  using Base::all_;

 public:
  BackWorker(const Layers<T>& all, const Weights<T>& weights, Sums<T>& sums) : Base(all, weights, true), sums_(sums) {
    int64_t widest = 0, widest_in = 0;
    for (const Layer<T>& layer : all.layers) {
      widest = std::max(widest, layer.n);
      deltas_.emplace_back(all.steps, layer.n);
      if (layer.weight != nullptr) widest_in = std::max(widest_in, layer.n_in);
    }
    widest = std::max(widest, widest_in);
    bar_ = array<T>(all.steps * widest);
    below_ = array<T>(all.steps * widest);
    delta_ = array<T>(all.steps * widest);
    rows_.reset(new Rows<T>(all.steps, widest));
  }

  void backward(int64_t example) {
    Base::forward(example);
    const int64_t steps = all_.steps;
    for (size_t l = all_.layers.size(); l-- > 0;) {
      const Layer<T>& layer = all_.layers[l];
      const int64_t n = layer.n;
      if (l + 1 == all_.layers.size()) std::memcpy(bar_.get(), all_.outputs_bar + example * steps * n, sizeof(T) * steps * n);
      adjoint(l, example);
      const bool flows = l > 0 || all_.inputs_bar != nullptr;
      const bool lists = (flows && layer.weight != nullptr);
      if (lists) {
        for (int64_t t = 0; t < steps; ++t) rows_->read(t, delta_.get() + t * n, n);
      }
      if (layer.weight_bar != nullptr || layer.recurrent_bar != nullptr) deltas_[l].fill(delta_.get());
      if (layer.weight_bar != nullptr) {
        by_input_.sort(Base::inputs_[l], steps, layer.n_in);
        outer(by_input_, deltas_[l], sums_.weight[l]);
      }
      if (layer.recurrent_bar != nullptr) {
        by_input_.sort(Base::own_[l], steps, n);
        outer(by_input_, deltas_[l], sums_.recurrent[l]);
      }
      if (!flows) break;
      const T* below = delta_.get();
      if (layer.weight != nullptr) {
        product(*rows_, 0, steps, Base::weights_.weight_back[l], below_.get(), false);
        below = below_.get();
      }
      if (l > 0) {
        std::memcpy(bar_.get(), below, sizeof(T) * steps * layer.n_in);
      } else {
        std::memcpy(all_.inputs_bar + example * steps * layer.n_in, below, sizeof(T) * steps * layer.n_in);
      }
    }
  }

 private:
  // From the cotangents of the outputs of a layer to those of its currents.
  void adjoint(size_t l, int64_t example) {
    const Layer<T>& layer = all_.layers[l];
    const int64_t n = layer.n, steps = all_.steps;
    std::vector<Array<T>> bars;
    void* bar[Base::kMost];
    for (const Leaf& leaf : layer.leaves) {
      if (leaf.gradient < 0) continue;
      bars.push_back(array<T>(n));
      std::memcpy(bars.back().get(), leaf.end_bar + example * n * sizeof(T), n * sizeof(T));
      bar[leaf.gradient] = bars.back().get();
    }
    void* sums[Base::kMost];
    for (size_t k = 0; k < layer.wanted.size(); ++k) sums[k] = sums_.wanted[l][k].get();
    const T* current = Base::currents_[l] == nullptr ? given_back(l, example) : Base::currents_[l].get();
    const T* totals = layer.totals_bar + example * n;
    const void* before[Base::kMost];
    if (layer.recurrent != nullptr && steps > 0) {
      for (int64_t i = 0; i < n; ++i) bar_[(steps - 1) * n + i] += layer.last_bar[example * n + i];
    }
    for (int64_t t = steps - 1; t >= 0; --t) {
      T* here = bar_.get() + t * n;
      for (int64_t i = 0; i < n; ++i) here[i] += totals[i];
      for (size_t k = 0; k < layer.leaves.size(); ++k) before[k] = Base::state(l, k, t);
      T* delta = delta_.get() + t * n;
      layer.backward(layer.back, current + t * n, before, here, bar, delta, sums);
      if (layer.recurrent == nullptr) continue;
      rows_->read(t, delta, n);
      if (t > 0) {
        // The row of step t enters at its own place: the cotangent of the step before.
        back(l, t, bar_.get() - n, true);
      } else if (layer.previous_bar != nullptr) {
        back(l, 0, layer.previous_bar + example * n, false);
      }
    }
    for (size_t k = 0; k < layer.leaves.size(); ++k) {
      const Leaf& leaf = layer.leaves[k];
      if (leaf.start_bar == nullptr) continue;
      std::memcpy(leaf.start_bar + example * n * sizeof(T), bar[leaf.gradient], n * sizeof(T));
    }
  }

  void back(size_t l, int64_t t, T* out, bool add) {
    product(*rows_, t, t + 1, Base::weights_.recurrent_back[l], out, add);
  }

  const T* given_back(size_t l, int64_t example) const {
    if (l > 0) return Base::outputs_[l - 1].get();
    return static_cast<const T*>(all_.inputs) + example * all_.steps * all_.layers[0].n_in;
  }

  Sums<T>& sums_;
  Array<T> bar_, below_, delta_;
  std::unique_ptr<Rows<T>> rows_;
  ByInput<T> by_input_;
  std::vector<Blocked<T>> deltas_;
};

template <typename T>
void run_forward(const Layers<T>& all) {
  double work = 0;  // roughly, in microseconds
  for (const Layer<T>& layer : all.layers) work += 1e-3 * layer.n * (5 + 0.01 * layer.n_in);
  work *= static_cast<double>(all.examples) * all.steps;
  int64_t parts = std::min<int64_t>(static_cast<int64_t>(work / 20), all.examples);
  parts = std::max<int64_t>(1, std::min<int64_t>(parts, the_thread_count * 4));
  const Weights<T> weights(all, false);
  auto part = [&](int k) {
    Worker<T> worker(all, weights, false);
    const int64_t end = all.examples * (k + 1) / parts;
    for (int64_t b = all.examples * k / parts; b < end; ++b) worker.forward(b);
  };
  in_parts(static_cast<int>(parts), part);
}

template <typename T>
void run_backward(const Layers<T>& all) {
  int64_t bytes = 1;
  for (const Layer<T>& layer : all.layers) {
    if (layer.weight_bar != nullptr) bytes += sizeof(T) * layer.n_in * layer.n;
    if (layer.recurrent_bar != nullptr) bytes += sizeof(T) * layer.n * layer.n;
  }
  // Depends on the sizes alone, so that sums do not depend on the number of threads.
  const int64_t parts = std::min(all.examples, std::clamp<int64_t>((int64_t{1} << 28) / bytes, 2, 8));
  const Weights<T> weights(all, true);
  std::vector<std::unique_ptr<Sums<T>>> sums(parts);
  auto part = [&](int k) {
    sums[k].reset(new Sums<T>(all));
    BackWorker<T> worker(all, weights, *sums[k]);
    const int64_t end = all.examples * (k + 1) / parts;
    for (int64_t b = all.examples * k / parts; b < end; ++b) worker.backward(b);
  };
  in_parts(static_cast<int>(parts), part);
  auto add = [&](T* out, int64_t rows, int64_t columns, auto&& of) {
    if (out == nullptr) return;
    const int64_t many = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(columns, 1));
    auto some = [&](int k) {
      const int64_t first = k * many, stop = std::min(rows, first + many);
      std::fill(out + first * columns, out + stop * columns, T(0));
      for (const auto& sum : sums) of(*sum).add_to(out, first, stop);
    };
    in_parts(static_cast<int>((rows + many - 1) / many), some);
  };
  for (size_t l = 0; l < all.layers.size(); ++l) {
    const Layer<T>& layer = all.layers[l];
    add(layer.weight_bar, layer.n_in, layer.n, [&](const Sums<T>& s) -> const Blocked<T>& { return s.weight[l]; });
    add(layer.recurrent_bar, layer.n, layer.n, [&](const Sums<T>& s) -> const Blocked<T>& { return s.recurrent[l]; });
    for (size_t k = 0; k < layer.wanted.size(); ++k) {
      T* out = static_cast<T*>(layer.wanted[k].out);
      std::fill(out, out + (layer.wanted[k].scalar ? 1 : layer.n), T(0));
      for (const auto& sum : sums) {
        const T* from = sum->wanted[l][k].get();
        for (int64_t i = 0; i < layer.n; ++i) out[layer.wanted[k].scalar ? 0 : i] += from[i];
      }
    }
  }
}

}  // namespace
