// The contractions on a GPU: what one team does for one block. See _bilinear.py for what they compute.
#pragma once

#include "task.h"
#include "team.h"

namespace brainfn {

enum : int { kR = 0, kC = 1, kW = 2, kN = 3 };

struct Row {
  int64_t begin, end, first_col;
};

BRAINFN_DEVICE Row row_of(const Task& t, int64_t row) {
  if (t.indptr) {
    if (t.wide) {
      const auto* p = static_cast<const int64_t*>(t.indptr);
      return {p[row], p[row + 1], 0};
    }
    const auto* p = static_cast<const int32_t*>(t.indptr);
    return {p[row], p[row + 1], 0};
  }
  return {row * t.fan_out, (row + 1) * t.fan_out, t.diagonal ? row : 0};
}

BRAINFN_DEVICE int64_t col_of(const Task& t, const Row& row, int64_t k) {
  return t.indices ? static_cast<int64_t>(t.indices[k]) : row.first_col + (k - row.begin);
}

// First element of the row whose column is not below `column`.
BRAINFN_DEVICE int64_t lower_bound(const Task& t, const Row& row, int64_t column) {
  int64_t from = row.begin, to = row.end;
  if (!t.indices) {
    const int64_t k = row.begin + (column - row.first_col);
    return k < from ? from : (k > to ? to : k);
  }
  while (from < to) {
    const int64_t middle = from + (to - from) / 2;
    if (t.indices[middle] < column) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

// Batch element `e` of the walk within the array of role `r`.
template <typename T>
BRAINFN_DEVICE T* element(const Task& t, int r, int64_t e) {
  return reinterpret_cast<T*>(t.array[r].data) + t.walk.at(r, e) * t.array[r].core;
}

// The values of the rows of a block, and which rows are active: nonzero, and needed.
template <typename T>
class Rows {
 public:
  BRAINFN_DEVICE Rows(const Task& t, int64_t e) : bool_(t.bool_rows) {
    x_ = bool_ ? static_cast<const void*>(element<const uint8_t>(t, kR, e) + t.row_offset)
               : static_cast<const void*>(element<const T>(t, kR, e) + t.row_offset);
    need_ = t.array[kN].data ? element<const uint8_t>(t, kN, e) + t.row_offset : nullptr;
  }

  BRAINFN_DEVICE T value(int64_t row) const {
    return bool_ ? static_cast<T>(static_cast<const uint8_t*>(x_)[row]) : static_cast<const T*>(x_)[row];
  }

  BRAINFN_DEVICE bool active(int64_t row) const { return value(row) != T(0) && (!need_ || need_[row]); }

 private:
  const void* x_;
  const uint8_t* need_;
  bool bool_;
};

// Which of the `n` rows from `first` on are wanted, as bits; n is at most 32, and 1 for a team of a whole block.
template <typename F>
BRAINFN_DEVICE uint32_t wanted_rows(const Task& t, const Team& team, int64_t first, int64_t n, F wanted) {
  if (n == 1) return first < t.n_rows && wanted(first) ? 1u : 0u;
  return team.ballot([&](int lane) { return lane < n && first + lane < t.n_rows && wanted(first + lane); });
}

// What team `index` has to do: a group of rows, a segment of each, and an element of the walk.
struct Share {
  int64_t first, segment, e;

  BRAINFN_DEVICE Share(const Task& t, int64_t index) {
    segment = index % t.segments;
    index /= t.segments;
    const int64_t groups = (t.n_rows + t.rows_per_team - 1) / t.rows_per_team;
    first = index % groups * t.rows_per_team;
    e = index / groups;
  }

  BRAINFN_DEVICE Row cut(const Task& t, const Row& row) const {
    if (t.segments == 1) return row;
    const int64_t n = row.end - row.begin;
    return {row.begin + n * segment / t.segments, row.begin + n * (segment + 1) / t.segments, row.first_col};
  }
};

// y[col] += x[row] * w. Teams add to the same columns, in any order.
struct Scatter {
  template <typename T>
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, index);
    const Rows<T> x(t, share.e);
    uint32_t rows = wanted_rows(t, team, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
    if (!rows) return;
    const T* w = element<const T>(t, kW, share.e);
    T* y = element<T>(t, kC, share.e) + t.col_offset;
    for (; rows; rows &= rows - 1) {
      const int64_t r = share.first + first_bit(rows);
      const Row row = row_of(t, r);
      const Row part = share.cut(t, row);
      const T value = x.value(r);
      team.each([&](int lane) {
        BRAINFN_UNROLL
        for (int64_t k = part.begin + lane; k < part.end; k += team.width()) {
          atomic_add(y + col_of(t, row, k), value * w[t.scalar_weights ? 0 : k]);
        }
      });
    }
  }
};

// The same without atomics: a team owns `rows_per_team` columns and takes batch elements, rows and elements in order.
// Columns ascend within a row, so that elements with the same column are neighbours, and one lane adds them.
struct ScatterOrdered {
  template <typename T>
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const int64_t n_parts = (t.n_cols + t.rows_per_team - 1) / t.rows_per_team;
    const int64_t from = index % n_parts * t.rows_per_team;
    const int64_t to = from + t.rows_per_team < t.n_cols ? from + t.rows_per_team : t.n_cols;
    const int64_t own = index / n_parts;
    for (int64_t e = own * t.shared; e < (own + 1) * t.shared; ++e) {
      const Rows<T> x(t, e);
      const T* w = element<const T>(t, kW, e);
      T* y = element<T>(t, kC, e) + t.col_offset;
      for (int64_t first = 0; first < t.n_rows; first += kWarp) {
        uint32_t rows = wanted_rows(t, team, first, kWarp, [&](int64_t row) { return x.active(row); });
        for (; rows; rows &= rows - 1) {
          const int64_t r = first + first_bit(rows);
          const Row row = row_of(t, r);
          const int64_t begin = lower_bound(t, row, from), end = lower_bound(t, row, to);
          const T value = x.value(r);
          team.each([&](int lane) {
            for (int64_t k = begin + lane; k < end; k += team.width()) {
              const int64_t c = col_of(t, row, k);
              if (k > begin && col_of(t, row, k - 1) == c) continue;
              T sum = y[c];
              for (int64_t j = k; j < end && col_of(t, row, j) == c; ++j) sum += value * w[t.scalar_weights ? 0 : j];
              y[c] = sum;
            }
          });
          team.sync();
        }
      }
    }
  }
};

// y[row] += sum of w * v[col]. One team owns a row.
struct Gather {
  template <typename T>
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, index);
    for (int64_t e = share.e * t.shared; e < (share.e + 1) * t.shared; ++e) {
      const uint8_t* need = t.array[kN].data ? element<const uint8_t>(t, kN, e) + t.row_offset : nullptr;
      uint32_t rows =
          wanted_rows(t, team, share.first, t.rows_per_team, [&](int64_t row) { return !need || need[row]; });
      if (!rows) continue;
      const T* w = element<const T>(t, kW, e);
      const T* v = element<const T>(t, kC, e) + t.col_offset;
      T* y = element<T>(t, kR, e) + t.row_offset;
      for (; rows; rows &= rows - 1) {
        const int64_t r = share.first + first_bit(rows);
        const Row row = row_of(t, r);
        const T sum = team.template sum<T>([&](int lane) {
          T a = 0;
          BRAINFN_UNROLL
          for (int64_t k = row.begin + lane; k < row.end; k += team.width()) {
            const T x = v[col_of(t, row, k)];
            a += t.scalar_weights ? x : w[k] * x;
          }
          return a;
        });
        team.once([&] { y[r] += t.scalar_weights ? w[0] * sum : sum; });
      }
    }
  }
};

// y[k] += x[row] * v[col]. One team owns a segment of a row, and a lane of it always the same elements.
struct Sddmm {
  template <typename T>
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, index);
    for (int64_t e = share.e * t.shared; e < (share.e + 1) * t.shared; ++e) {
      const Rows<T> x(t, e);
      uint32_t rows = wanted_rows(t, team, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
      if (!rows) continue;
      const T* v = element<const T>(t, kC, e) + t.col_offset;
      T* y = element<T>(t, kW, e);
      for (; rows; rows &= rows - 1) {
        const int64_t r = share.first + first_bit(rows);
        const Row row = row_of(t, r);
        const Row part = share.cut(t, row);
        const T value = x.value(r);
        team.each([&](int lane) {
          BRAINFN_UNROLL
          for (int64_t k = part.begin + lane; k < part.end; k += team.width()) y[k] += value * v[col_of(t, row, k)];
        });
      }
    }
  }
};

// y += sum of x[row] * v[col]. Each team adds the sum of its rows, in any order.
struct SddmmScalar {
  template <typename T>
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, index);
    const Rows<T> x(t, share.e);
    const uint32_t rows =
        wanted_rows(t, team, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
    if (!rows) return;
    const T* v = element<const T>(t, kC, share.e) + t.col_offset;
    const T sum = team.template sum<T>([&](int lane) {
      T a = 0;
      for (uint32_t left = rows; left; left &= left - 1) {
        const int64_t r = share.first + first_bit(left);
        const Row row = row_of(t, r);
        const Row part = share.cut(t, row);
        T b = 0;
        for (int64_t k = part.begin + lane; k < part.end; k += team.width()) b += v[col_of(t, row, k)];
        a += x.value(r) * b;
      }
      return a;
    });
    team.once([&] { atomic_add(element<T>(t, kW, share.e), sum); });
  }
};

// The same by one team: each lane takes every so-many-th row, and `segments` lanes share a row.
struct SddmmScalarOrdered {
  template <typename T>
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    for (int64_t e = index * t.shared; e < (index + 1) * t.shared; ++e) {
      const Rows<T> x(t, e);
      const T* v = element<const T>(t, kC, e) + t.col_offset;
      const T sum = team.template sum<T>([&](int lane) {
        T a = 0;
        for (int64_t r = lane / t.segments; r < t.n_rows; r += team.width() / t.segments) {
          if (!x.active(r)) continue;
          const Row row = row_of(t, r);
          T b = 0;
          for (int64_t k = row.begin + lane % t.segments; k < row.end; k += t.segments) b += v[col_of(t, row, k)];
          a += x.value(r) * b;
        }
        return a;
      });
      team.once([&] { element<T>(t, kW, e)[0] += sum; });
    }
  }
};

}  // namespace brainfn
