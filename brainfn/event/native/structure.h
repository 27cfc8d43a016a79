// Where the stored elements of a block are: one class for each kind of structure, chosen once for each block.
#pragma once

#include <algorithm>

#include "call.h"
#include "huge.h"

namespace brainfn {

constexpr int64_t kLine = 64;
constexpr int64_t kMaxFetch = 16;  // lines of a row that are fetched ahead; the hardware follows from there

// First position of [k, end) whose column is not below `column`, without branches: what a row holds cannot be guessed.
inline int64_t lower_bound_in(const int32_t* indices, int64_t k, int64_t end, int64_t column) {
  const int32_t* base = indices + k;
  int64_t n = end - k;
  while (n > 1) {
    const int64_t half = n / 2;
    base += half & -static_cast<int64_t>(base[half - 1] < column);
    n -= half;
  }
  return base - indices + (n == 1 && *base < column);
}

// GCC takes a function that does nothing but __builtin_prefetch for one without effects and deletes calls of it.
inline void fetch_line(const void* p) {
#if defined(__x86_64__) && defined(__GNUC__)
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(p)));
#else
  __builtin_prefetch(p);
#endif
}

// The part of each row that a thread will read, roughly: [from, to) of its length.
struct Share {
  float from = 0.0f, to = 1.0f;
};

template <typename T>
inline void fetch(const T* row, int64_t n, Share share = {}) {
  const int64_t bytes = n * static_cast<int64_t>(sizeof(T));
  const auto first = static_cast<int64_t>(static_cast<float>(bytes) * share.from);
  const auto last = static_cast<int64_t>(static_cast<float>(bytes) * share.to);
  const char* p = reinterpret_cast<const char*>(row) + first;
  const char* end = reinterpret_cast<const char*>(row) + std::min(last, first + kMaxFetch * kLine);
  for (; p < end; p += kLine) fetch_line(p);
}

// Row pointers of 32 or 64 bits. They are read once for a row, so that which of them costs nothing.
struct Pointers {
  const char* data;
  bool wide;

  int64_t operator[](int64_t row) const {
    return wide ? reinterpret_cast<const int64_t*>(data)[row] : reinterpret_cast<const int32_t*>(data)[row];
  }
  const char* address(int64_t row) const { return data + (wide ? 8 : 4) * row; }
};

// Each structure says of the k-th stored element of a row: its column, its place in the array over columns, and the
// position of its weight.

// Compressed rows; column indices ascend within a row.
struct Csr {
  static constexpr bool kPlain = true;  // place and weight are indices[k] and k
  const int32_t* indices;
  Pointers indptr;

  int64_t begin(int64_t row) const { return indptr[row]; }
  int64_t end(int64_t row) const { return indptr[row + 1]; }
  int64_t place(int64_t, int64_t k) const { return indices[k]; }
  int64_t weight(int64_t, int64_t k) const { return k; }
  int64_t lower_bound(int64_t k, int64_t end, int64_t column) const {
    return lower_bound_in(indices, k, end, column);
  }
  void fetch_pointer(int64_t row) const { fetch_line(indptr.address(row)); }
  void fetch_row(int64_t row, Share share = {}) const {
    const int64_t from = indptr[row];
    fetch(indices + from, indptr[row + 1] - from, share);
  }
  template <typename T>
  void fetch_weights(int64_t row, const T* w, Share share = {}) const {
    const int64_t from = indptr[row];
    fetch(w + from, indptr[row + 1] - from, share);
  }
};

// Compressed rows whose k-th element has weight order[k]: what is stored by columns, found by rows.
template <typename P>
struct Permuted {
  static constexpr bool kPlain = false;
  const int32_t* indices;
  const P* indptr;
  const P* order;

  int64_t begin(int64_t row) const { return indptr[row]; }
  int64_t end(int64_t row) const { return indptr[row + 1]; }
  int64_t place(int64_t, int64_t k) const { return indices[k]; }
  int64_t weight(int64_t, int64_t k) const { return order[k]; }
  int64_t lower_bound(int64_t k, int64_t end, int64_t column) const {
    return lower_bound_in(indices, k, end, column);
  }
  void fetch_pointer(int64_t row) const { fetch_line(indptr + row); }
  void fetch_row(int64_t row, Share share = {}) const {
    fetch(indices + indptr[row], indptr[row + 1] - indptr[row], share);
    fetch(order + indptr[row], indptr[row + 1] - indptr[row], share);
  }
  template <typename T>
  void fetch_weights(int64_t, const T*, Share = {}) const {}
};

// Compressed rows into a ring buffer (length, width): the k-th element arrives in slot (now + delays[k]) % length.
template <typename D>
struct Delayed {
  static constexpr bool kPlain = false;
  Csr rows;
  const D* delays;
  int64_t now, length, width;  // 0 <= now < length

  int64_t begin(int64_t row) const { return rows.begin(row); }
  int64_t end(int64_t row) const { return rows.end(row); }
  int64_t place(int64_t, int64_t k) const {
    const int64_t slot = now + delays[k];
    return (slot >= length ? slot - length : slot) * width + rows.indices[k];
  }
  int64_t weight(int64_t, int64_t k) const { return k; }
  int64_t lower_bound(int64_t k, int64_t end, int64_t column) const { return rows.lower_bound(k, end, column); }
  void fetch_pointer(int64_t row) const { rows.fetch_pointer(row); }
  void fetch_row(int64_t row, Share share = {}) const {
    rows.fetch_row(row, share);
    rows.fetch_weights(row, delays, share);
  }
  template <typename T>
  void fetch_weights(int64_t row, const T* w, Share share = {}) const {
    rows.fetch_weights(row, w, share);
  }
};

// All columns of each row.
struct Full {
  static constexpr bool kPlain = false;
  int64_t n_cols;

  int64_t begin(int64_t row) const { return row * n_cols; }
  int64_t end(int64_t row) const { return (row + 1) * n_cols; }
  int64_t place(int64_t row, int64_t k) const { return k - row * n_cols; }
  int64_t weight(int64_t, int64_t k) const { return k; }
  int64_t lower_bound(int64_t k, int64_t, int64_t column) const { return k / n_cols * n_cols + column; }
  void fetch_pointer(int64_t) const {}
  void fetch_row(int64_t, Share = {}) const {}
  template <typename T>
  void fetch_weights(int64_t row, const T* w, Share share = {}) const {
    fetch(w + row * n_cols, n_cols, share);
  }
};

// All columns of each row, the weights stored column by column.
struct FullTransposed {
  static constexpr bool kPlain = false;
  int64_t n_rows, n_cols;

  int64_t begin(int64_t) const { return 0; }
  int64_t end(int64_t) const { return n_cols; }
  int64_t place(int64_t, int64_t k) const { return k; }
  int64_t weight(int64_t row, int64_t k) const { return k * n_rows + row; }
  int64_t lower_bound(int64_t, int64_t, int64_t column) const { return column; }
  void fetch_pointer(int64_t) const {}
  void fetch_row(int64_t, Share = {}) const {}
  template <typename T>
  void fetch_weights(int64_t, const T*, Share = {}) const {}
};

// The same number of elements in each row; column indices ascend within a row.
struct Ell {
  static constexpr bool kPlain = true;  // place and weight are indices[k] and k
  const int32_t* indices;
  int64_t fan_out;

  int64_t begin(int64_t row) const { return row * fan_out; }
  int64_t end(int64_t row) const { return (row + 1) * fan_out; }
  int64_t place(int64_t, int64_t k) const { return indices[k]; }
  int64_t weight(int64_t, int64_t k) const { return k; }
  int64_t lower_bound(int64_t k, int64_t end, int64_t column) const {
    return lower_bound_in(indices, k, end, column);
  }
  void fetch_pointer(int64_t) const {}
  void fetch_row(int64_t row, Share share = {}) const { fetch(indices + row * fan_out, fan_out, share); }
  template <typename T>
  void fetch_weights(int64_t row, const T* w, Share share = {}) const {
    fetch(w + row * fan_out, fan_out, share);
  }
};

// Row i has column i.
struct Diagonal {
  static constexpr bool kPlain = false;
  int64_t begin(int64_t row) const { return row; }
  int64_t end(int64_t row) const { return row + 1; }
  int64_t place(int64_t row, int64_t) const { return row; }
  int64_t weight(int64_t, int64_t k) const { return k; }
  int64_t lower_bound(int64_t k, int64_t end, int64_t column) const { return std::clamp(column, k, end); }
  void fetch_pointer(int64_t) const {}
  void fetch_row(int64_t, Share = {}) const {}
  template <typename T>
  void fetch_weights(int64_t, const T*, Share = {}) const {}
};

enum Kind : int64_t {
  kCsr = 0,
  kDense = 1,
  kEll = 2,
  kOneToOne = 3,
  kPermuted = 4,
  kDelayed = 5,
  kJit = 6,
};

inline const int32_t* indices_of(const Call& call, const Block& b) {
  return reinterpret_cast<const int32_t*>(call.operand(kStructure, b.structure[0]).data);
}

// Mean number of stored elements in a row.
inline double mean_row(const Call& call, const Block& b) {
  if (b.n_rows == 0) return 0.0;
  if (b.kind == kDense) return static_cast<double>(b.n_cols);
  if (b.kind == kOneToOne) return 1.0;
  return static_cast<double>(call.structure_size(b.structure[0])) / b.n_rows;
}

// Size of an array over columns that is counted by column: one slot of a ring buffer, else all of it.
inline int64_t width_of(const Block& b, const Operand& columns) {
  return b.kind == kDelayed ? b.extra[1] : columns.core_size();
}

template <typename F>
void with_structure(const Call& call, const Block& b, F f) {
  if (b.kind == kDense) {
    b.extra[0] ? f(FullTransposed{b.n_rows, b.n_cols}) : f(Full{b.n_cols});
    return;
  }
  if (b.kind == kOneToOne) return f(Diagonal{});
  if (b.kind == kEll) {
    return f(Ell{indices_of(call, b), b.n_rows > 0 ? call.structure_size(b.structure[0]) / b.n_rows : 0});
  }
  const Operand indptr = call.operand(kStructure, b.structure[1]);
  const bool wide = indptr.dtype == ffi::DataType::S64;
  if (b.kind == kPermuted) {
    const Operand order = call.operand(kStructure, b.structure[2]);
    if (wide) {
      f(Permuted<int64_t>{indices_of(call, b), reinterpret_cast<const int64_t*>(indptr.data),
                          reinterpret_cast<const int64_t*>(order.data)});
    } else {
      f(Permuted<int32_t>{indices_of(call, b), reinterpret_cast<const int32_t*>(indptr.data),
                          reinterpret_cast<const int32_t*>(order.data)});
    }
    return;
  }
  const Csr rows{indices_of(call, b), {indptr.data, wide}};
  if (b.kind == kCsr) return f(rows);
  const Operand delays = call.operand(kStructure, b.structure[2]);
  const int64_t length = b.extra[0], width = b.extra[1];
  const int64_t step = *reinterpret_cast<const int32_t*>(call.operand(kStructure, b.structure[3]).data);
  const int64_t now = (step % length + length) % length;
  if (delays.dtype == ffi::DataType::U8) {
    f(Delayed<uint8_t>{rows, reinterpret_cast<const uint8_t*>(delays.data), now, length, width});
  } else {
    f(Delayed<uint16_t>{rows, reinterpret_cast<const uint16_t*>(delays.data), now, length, width});
  }
}

// Tells the memory system that the structure is read at random.
inline void note_structure(const Call& call, const Block& b) {
  if (b.kind == kDense || b.kind == kOneToOne) return;
  read_often(indices_of(call, b), call.structure_size(b.structure[0]) * sizeof(int32_t));
  if (b.kind == kPermuted) {
    const Operand order = call.operand(kStructure, b.structure[2]);
    const int64_t bytes = order.dtype == ffi::DataType::S64 ? 8 : 4;
    read_often(order.data, call.structure_size(b.structure[2]) * bytes);
  }
}

}  // namespace brainfn
