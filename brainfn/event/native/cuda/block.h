// What kernels ask of a block: where its elements and their weights are, and the values of its arrays.
#pragma once

#include "task.h"
#include "team.h"
#include "weight.h"

namespace brainfn {

enum : int { kR = 0, kC = 1, kW = 2, kN = 3 };

// Batch element `e` of the walk within the array of role `r`.
template <typename T>
BRAINFN_DEVICE T* element(const Task& t, int r, int64_t e) {
  return reinterpret_cast<T*>(t.array[r].data) + t.walk.at(r, e) * t.array[r].core;
}

struct Row {
  int64_t index, begin, end;
};

// Row pointers, and positions of weights, are 32 or 64 bits wide.
BRAINFN_DEVICE int64_t index_at(const void* indices, bool wide, int64_t i) {
  return wide ? static_cast<const int64_t*>(indices)[i] : static_cast<const int32_t*>(indices)[i];
}

class Elements {
 public:
  BRAINFN_DEVICE explicit Elements(const Task& t) : t_(t), now_(0) {
    if (t.delays) now_ = (*t.now % t.ring_length + t.ring_length) % t.ring_length;
  }

  BRAINFN_DEVICE Row row(int64_t i) const {
    if (!t_.indptr) return {i, i * t_.fan_out, (i + 1) * t_.fan_out};
    return {i, index_at(t_.indptr, t_.wide, i), index_at(t_.indptr, t_.wide, i + 1)};
  }

  BRAINFN_DEVICE int64_t column(const Row& row, int64_t k) const {
    if (t_.indices) return t_.indices[k];
    return k - row.begin + (t_.diagonal ? row.index : 0);
  }

  // Where the element acts in the array over columns.
  BRAINFN_DEVICE int64_t place(const Row& row, int64_t k) const {
    const int64_t column_k = column(row, k);
    if (!t_.delays) return column_k;
    const int64_t slot = now_ + (t_.wide_delays ? static_cast<const uint16_t*>(t_.delays)[k]
                                                : static_cast<const uint8_t*>(t_.delays)[k]);
    return (slot >= t_.ring_length ? slot - t_.ring_length : slot) * t_.ring_width + column_k;
  }

  BRAINFN_DEVICE int64_t weight(const Row& row, int64_t k) const {
    if (t_.scalar_weights) return 0;
    if (t_.order) return index_at(t_.order, t_.wide, k);
    return t_.columns_first ? (k - row.begin) * t_.n_rows + row.index : k;
  }

  // First element of the row whose column is not below `column`.
  BRAINFN_DEVICE int64_t lower_bound(const Row& row, int64_t column_from) const {
    int64_t from = row.begin, to = row.end;
    while (from < to) {
      const int64_t middle = from + (to - from) / 2;
      if (column(row, middle) < column_from) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from;
  }

 private:
  const Task& t_;
  int64_t now_;
};

// The values of an array over rows or columns, at the rows or columns of the block. Rows may be bool, and may be
// needed only in part.
template <typename T>
class Values {
 public:
  BRAINFN_DEVICE Values(const Task& t, int role, int64_t e) : bool_(role == kR && t.bool_rows) {
    const int64_t offset = role == kR ? t.row_offset : t.col_offset;
    x_ = bool_ ? static_cast<const void*>(element<const uint8_t>(t, role, e) + offset)
               : static_cast<const void*>(element<const T>(t, role, e) + offset);
    need_ = role == kR && t.array[kN].data ? element<const uint8_t>(t, kN, e) + offset : nullptr;
  }

  BRAINFN_DEVICE T operator[](int64_t i) const {
    return bool_ ? static_cast<T>(static_cast<const uint8_t*>(x_)[i]) : static_cast<const T*>(x_)[i];
  }

  BRAINFN_DEVICE bool needed(int64_t i) const { return !need_ || need_[i]; }

  // Nonzero, and needed.
  BRAINFN_DEVICE bool active(int64_t i) const { return (*this)[i] != T(0) && needed(i); }

 private:
  const void* x_;
  const uint8_t* need_;
  bool bool_;
};

// Which of the `n` of `total` rows from `first` on are wanted, as bits; n is at most 32, and 1 for a team of a block.
template <typename F>
BRAINFN_DEVICE uint32_t wanted_of(const Team& team, int64_t total, int64_t first, int64_t n, F wanted) {
  if (n == 1) return first < total && wanted(first) ? 1u : 0u;
  return team.ballot([&](int lane) { return lane < n && first + lane < total && wanted(first + lane); });
}

// What team `index` has to do: a group of rows (or streams), a segment of each, and an element of the walk.
struct Share {
  int64_t first, segment, segments, e;

  BRAINFN_DEVICE Share(const Task& t, int64_t total, int64_t index) : segments(t.segments) {
    segment = index % segments;
    index /= segments;
    const int64_t groups = (total + t.rows_per_team - 1) / t.rows_per_team;
    first = index % groups * t.rows_per_team;
    e = index / groups;
  }

  BRAINFN_DEVICE int64_t begin(int64_t n) const { return n * segment / segments; }
  BRAINFN_DEVICE int64_t end(int64_t n) const { return n * (segment + 1) / segments; }
};

}  // namespace brainfn
