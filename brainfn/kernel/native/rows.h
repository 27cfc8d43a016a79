// Products of rows that are mostly zero with a matrix, and sums of outer products.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
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

}  // namespace
