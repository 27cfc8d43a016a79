// The contractions on a GPU: what one team does for one stored block. See _bilinear.py for what they compute.
// T: dtype of the sums. W: dtype of the weights.
#pragma once

#include "block.h"

namespace brainfn {

// y[col] += x[row] * w. Teams add to the same columns, in any order.
template <typename T, typename W>
struct Scatter {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, t.n_rows, index);
    const Values<T> x(t, kR, share.e);
    uint32_t rows =
        wanted_of(team, t.n_rows, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
    if (!rows) return;
    const Elements elements(t);
    const W* w = element<const W>(t, kW, share.e);
    T* y = element<T>(t, kC, share.e) + t.col_offset;
    for (; rows; rows &= rows - 1) {
      const Row row = elements.row(share.first + first_bit(rows));
      const int64_t n = row.end - row.begin;
      const int64_t begin = row.begin + share.begin(n), end = row.begin + share.end(n);
      const T value = x[row.index];
      team.each([&](int lane) {
        BRAINFN_UNROLL
        for (int64_t k = begin + lane; k < end; k += team.width()) {
          atomic_add(y + elements.place(row, k), value * load(w[elements.weight(row, k)]));
        }
      });
    }
  }
};

// The same without atomics: a team owns `rows_per_team` columns and takes batch elements, rows and elements in order.
// Columns ascend within a row, so that elements with the same column are neighbours, and one lane adds them.
template <typename T, typename W>
struct ScatterOrdered {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const int64_t n_parts = (t.n_cols + t.rows_per_team - 1) / t.rows_per_team;
    const int64_t from = index % n_parts * t.rows_per_team, to = from + t.rows_per_team;
    const int64_t own = index / n_parts;
    const Elements elements(t);
    for (int64_t e = own * t.shared; e < (own + 1) * t.shared; ++e) {
      const Values<T> x(t, kR, e);
      const W* w = element<const W>(t, kW, e);
      T* y = element<T>(t, kC, e) + t.col_offset;
      for (int64_t first = 0; first < t.n_rows; first += kWarp) {
        uint32_t rows = wanted_of(team, t.n_rows, first, kWarp, [&](int64_t row) { return x.active(row); });
        for (; rows; rows &= rows - 1) {
          const Row row = elements.row(first + first_bit(rows));
          const int64_t begin = elements.lower_bound(row, from), end = elements.lower_bound(row, to);
          const T value = x[row.index];
          team.each([&](int lane) {
            for (int64_t k = begin + lane; k < end; k += team.width()) {
              const int64_t c = elements.column(row, k);
              if (k > begin && elements.column(row, k - 1) == c) continue;
              for (int64_t j = k; j < end && elements.column(row, j) == c; ++j) {
                y[elements.place(row, j)] += value * load(w[elements.weight(row, j)]);
              }
            }
          });
          team.sync();
        }
      }
    }
  }
};

// y[row] += sum of w * v[col]. One team owns a row.
template <typename T, typename W>
struct Gather {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, t.n_rows, index);
    const Elements elements(t);
    for (int64_t e = share.e * t.shared; e < (share.e + 1) * t.shared; ++e) {
      const uint8_t* need = t.array[kN].data ? element<const uint8_t>(t, kN, e) + t.row_offset : nullptr;
      uint32_t rows = wanted_of(team, t.n_rows, share.first, t.rows_per_team,
                                [&](int64_t row) { return !need || need[row]; });
      if (!rows) continue;
      const W* w = element<const W>(t, kW, e);
      const T* v = element<const T>(t, kC, e) + t.col_offset;
      T* y = element<T>(t, kR, e) + t.row_offset;
      for (; rows; rows &= rows - 1) {
        const Row row = elements.row(share.first + first_bit(rows));
        PerLane<T> part;
        team.each([&](int lane) {
          T a = 0;
          BRAINFN_UNROLL
          for (int64_t k = row.begin + lane; k < row.end; k += team.width()) {
            a += load(w[elements.weight(row, k)]) * v[elements.place(row, k)];
          }
          part[lane] = a;
        });
        const T sum = team.sum(part);
        team.once([&] { y[row.index] += sum; });
      }
    }
  }
};

// y[k] += x[row] * v[col]. One team owns a segment of a row, and a lane of it always the same elements.
template <typename T, typename W>
struct Sddmm {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, t.n_rows, index);
    const Elements elements(t);
    for (int64_t e = share.e * t.shared; e < (share.e + 1) * t.shared; ++e) {
      const Values<T> x(t, kR, e);
      uint32_t rows =
          wanted_of(team, t.n_rows, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
      if (!rows) continue;
      const T* v = element<const T>(t, kC, e) + t.col_offset;
      W* y = element<W>(t, kW, e);
      for (; rows; rows &= rows - 1) {
        const Row row = elements.row(share.first + first_bit(rows));
        const int64_t n = row.end - row.begin;
        const int64_t begin = row.begin + share.begin(n), end = row.begin + share.end(n);
        const T value = x[row.index];
        team.each([&](int lane) {
          BRAINFN_UNROLL
          for (int64_t k = begin + lane; k < end; k += team.width()) {
            W& to = y[elements.weight(row, k)];
            store(to, load(to) + value * v[elements.place(row, k)]);
          }
        });
      }
    }
  }
};

// y += sum of x[row] * v[col]. Each team adds the sum of its rows, in any order.
template <typename T, typename W>
struct SddmmScalar {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, t.n_rows, index);
    const Values<T> x(t, kR, share.e);
    const uint32_t rows =
        wanted_of(team, t.n_rows, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
    if (!rows) return;
    const Elements elements(t);
    const T* v = element<const T>(t, kC, share.e) + t.col_offset;
    PerLane<T> part;
    team.each([&](int lane) {
      T a = 0;
      for (uint32_t left = rows; left; left &= left - 1) {
        const Row row = elements.row(share.first + first_bit(left));
        const int64_t n = row.end - row.begin;
        const int64_t end = row.begin + share.end(n);
        T b = 0;
        for (int64_t k = row.begin + share.begin(n) + lane; k < end; k += team.width()) b += v[elements.place(row, k)];
        a += x[row.index] * b;
      }
      part[lane] = a;
    });
    const T sum = team.sum(part);
    team.once([&] { atomic_add(element<T>(t, kW, share.e), sum); });
  }
};

// The same by one team: each lane takes every so-many-th row, and `segments` lanes share a row.
template <typename T, typename W>
struct SddmmScalarOrdered {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Elements elements(t);
    for (int64_t e = index * t.shared; e < (index + 1) * t.shared; ++e) {
      const Values<T> x(t, kR, e);
      const T* v = element<const T>(t, kC, e) + t.col_offset;
      PerLane<T> part;
      team.each([&](int lane) {
        T a = 0;
        for (int64_t r = lane / t.segments; r < t.n_rows; r += team.width() / t.segments) {
          if (!x.active(r)) continue;
          const Row row = elements.row(r);
          T b = 0;
          for (int64_t k = row.begin + lane % t.segments; k < row.end; k += t.segments) b += v[elements.place(row, k)];
          a += x[r] * b;
        }
        part[lane] = a;
      });
      const T sum = team.sum(part);
      team.once([&] {
        W& to = element<W>(t, kW, e)[0];
        store(to, load(to) + sum);
      });
    }
  }
};

// w = clip(w + x[row] * (a[col] + b[col] * w), lower, upper), see _update.py.
template <typename T, typename W>
struct Update {
  BRAINFN_DEVICE static T number(const Array& a, int64_t e, int64_t column) {
    const T* values = reinterpret_cast<const T*>(a.data);
    return a.core < 0 ? values[e] : values[e * a.core + column];
  }

  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Share share(t, t.n_rows, index);
    const Values<T> x(t, kR, share.e);
    uint32_t rows =
        wanted_of(team, t.n_rows, share.first, t.rows_per_team, [&](int64_t row) { return x.active(row); });
    if (!rows) return;
    const Elements elements(t);
    const int64_t at = t.walk.at(kC, share.e);
    const T lower = number(t.rule.lower, at, 0), upper = number(t.rule.upper, at, 0);
    W* w = element<W>(t, kW, share.e);
    for (; rows; rows &= rows - 1) {
      const Row row = elements.row(share.first + first_bit(rows));
      const int64_t n = row.end - row.begin;
      const int64_t begin = row.begin + share.begin(n), end = row.begin + share.end(n);
      const T value = x[row.index];
      team.each([&](int lane) {
        for (int64_t k = begin + lane; k < end; k += team.width()) {
          const int64_t c = elements.place(row, k);
          W& to = w[elements.weight(row, k)];
          const T old = load(to);
          const T moved = old + value * (number(t.rule.change, at, c) + number(t.rule.factor, at, c) * old);
          store(to, moved < lower ? lower : moved > upper ? upper : moved);
        }
      });
    }
  }
};

}  // namespace brainfn
