// Just-in-time blocks on a GPU: a team makes the synapses of a stream, a row or a column. See _jit.py and jit.h.
#pragma once

#include "../jit.h"
#include "block.h"

namespace brainfn {

// The synapses of the streams of a block. Streams and positions are numbered from where the block starts.
template <typename T>
class Synapses {
 public:
  BRAINFN_DEVICE explicit Synapses(const Task& t)
      : p_(t.pattern), first_stream_(static_cast<uint32_t>(p_.origin[p_.columns])),
        first_position_(static_cast<uint32_t>(p_.origin[!p_.columns])) {}

  // Calls f(lane, position, z) for the synapses of a stream at positions [from, to), each once, no two lanes at the
  // same position. Teams have at most 32 lanes.
  template <typename F>
  BRAINFN_DEVICE void each(const Team& team, int64_t stream, int64_t from, int64_t to, F f) const {
    const uint32_t s = first_stream_ + static_cast<uint32_t>(stream);
    jit::Words keys{};
    if (p_.law != jit::kHomogeneous) keys = words(s, 0, jit::kWeightWords);
    auto use = [&](int lane, uint32_t column) {
      const int64_t position = static_cast<int64_t>(column) - first_position_;
      if (position >= from && position < to) f(lane, position, law(column, keys));
    };
    if (p_.fixed) {
      of_fixed(team, s, use);
      return;
    }
    if (from >= to) return;
    const int64_t first = (first_position_ + from) >> p_.bits, last = (first_position_ + to - 1) >> p_.bits;
    const int tile_lanes = p_.tile_lanes;
    team.each([&](int lane) {
      for (int64_t tile = first + lane / tile_lanes; tile <= last; tile += team.width() / tile_lanes) {
        const jit::Words count = words(s, static_cast<uint32_t>(tile), jit::kCountWords);
        const uint32_t n = number(static_cast<uint64_t>(count.w[0]) << 32 | count.w[1]);
        const jit::Order order = jit::order_of(count, words(s, static_cast<uint32_t>(tile), jit::kOrderWords));
        for (uint32_t j = static_cast<uint32_t>(lane % tile_lanes); j < n; j += tile_lanes) {
          const uint32_t column = (static_cast<uint32_t>(tile) << p_.bits) + jit::permute(j, order, p_.bits);
          if (!excluded(s, column)) use(lane, column);
        }
      }
    });
  }

 private:
  BRAINFN_DEVICE jit::Words words(uint32_t stream, uint32_t tile, uint32_t purpose) const {
    return jit::philox(stream, tile, purpose, 0, p_.seed[0], p_.seed[1]);
  }

  BRAINFN_DEVICE bool excluded(uint32_t stream, uint32_t column) const {
    return p_.exclude && column == stream + p_.diagonal;
  }

  // How many thresholds do not exceed u: they ascend.
  BRAINFN_DEVICE uint32_t number(uint64_t u) const {
    int from = 0, to = p_.n_thresholds;
    while (from < to) {
      const int middle = (from + to) / 2;
      const uint64_t threshold = static_cast<uint64_t>(p_.table[2 * middle]) << 32 | p_.table[2 * middle + 1];
      if (threshold <= u) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return static_cast<uint32_t>(from);
  }

  BRAINFN_DEVICE T law(uint32_t column, const jit::Words& keys) const {
    if (p_.law == jit::kHomogeneous) return T(0);
    const uint32_t h = jit::weight_hash(column, keys.w[0], keys.w[1]);
    if (p_.law == jit::kUniform) return static_cast<T>(jit::uniform_of(h)) * T(jit::kUniformScale);
    return static_cast<T>(jit::normal_of(h, p_.quantiles)) * T(jit::kNormalScale);
  }

  // The first `fan_out` candidates that are columns of the matrix, and no autapse.
  template <typename F>
  BRAINFN_DEVICE void of_fixed(const Team& team, uint32_t s, F use) const {
    const jit::Order order =
        jit::order_of(words(s, 0, jit::kCountWords), words(s, 0, jit::kOrderWords));
    const uint32_t size = 1u << p_.bits;
    uint32_t counted = 0;
    for (uint32_t first = 0; first < size && counted < p_.fan_out; first += team.width()) {
      PerLane<uint32_t> column;
      team.each([&](int lane) { column[lane] = jit::permute(first + lane, order, p_.bits); });
      const uint32_t accepted = team.ballot([&](int lane) {
        return first + lane < size && column[lane] < p_.extent && !excluded(s, column[lane]);
      });
      team.each([&](int lane) {
        const uint32_t rank = counted + count_bits(accepted & ((1u << lane) - 1u));
        if (accepted >> lane & 1 && rank < p_.fan_out) use(lane, column[lane]);
      });
      counted += count_bits(accepted);
    }
  }

  const Pattern& p_;
  uint32_t first_stream_;
  int64_t first_position_;
};

struct Sides {
  int streams, positions;
  int64_t n_streams, n_positions, stream_offset, position_offset;

  BRAINFN_DEVICE explicit Sides(const Task& t) {
    const bool columns = t.pattern.columns;
    streams = columns ? kC : kR;
    positions = columns ? kR : kC;
    n_streams = columns ? t.n_cols : t.n_rows;
    n_positions = columns ? t.n_rows : t.n_cols;
    stream_offset = columns ? t.col_offset : t.row_offset;
    position_offset = columns ? t.row_offset : t.col_offset;
  }
};

// The parameters of the weight law of a batch element: a weight is c[0] + c[1] z.
template <typename T>
struct Theta {
  T c[2];

  BRAINFN_DEVICE Theta(const Task& t, int64_t e) {
    const T* w = element<const T>(t, kW, e);
    c[0] = w[0];
    c[1] = t.pattern.law == jit::kHomogeneous ? T(0) : w[1];
  }
};

// Whether a position of the accumulator is needed: rows alone can be not needed.
BRAINFN_DEVICE const uint8_t* need_of(const Task& t, int role, int64_t e) {
  return role == kR && t.array[kN].data ? element<const uint8_t>(t, kN, e) + t.row_offset : nullptr;
}

// y[position] += x[stream] * w, by atomics, in any order.
template <typename T, typename W>
struct Push {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Sides sides(t);
    const Share share(t, sides.n_streams, index);
    const Values<T> x(t, sides.streams, share.e);
    uint32_t streams =
        wanted_of(team, sides.n_streams, share.first, t.rows_per_team, [&](int64_t i) { return x.active(i); });
    if (!streams) return;
    const Synapses<T> synapses(t);
    const Theta<T> theta(t, share.e);
    const uint8_t* need = need_of(t, sides.positions, share.e);
    T* y = element<T>(t, sides.positions, share.e) + sides.position_offset;
    for (; streams; streams &= streams - 1) {
      const int64_t s = share.first + first_bit(streams);
      const T c0 = x[s] * theta.c[0], c1 = x[s] * theta.c[1];
      synapses.each(team, s, share.begin(sides.n_positions), share.end(sides.n_positions),
                    [&](int, int64_t position, T z) {
                      if (!need || need[position]) atomic_add(y + position, c0 + c1 * z);
                    });
    }
  }
};

// The same without atomics: a team owns `rows_per_team` positions and takes batch elements and streams in order.
template <typename T, typename W>
struct PushOrdered {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Sides sides(t);
    const int64_t n_parts = (sides.n_positions + t.rows_per_team - 1) / t.rows_per_team;
    const int64_t from = index % n_parts * t.rows_per_team, own = index / n_parts;
    const int64_t to = from + t.rows_per_team < sides.n_positions ? from + t.rows_per_team : sides.n_positions;
    const Synapses<T> synapses(t);
    for (int64_t e = own * t.shared; e < (own + 1) * t.shared; ++e) {
      const Values<T> x(t, sides.streams, e);
      const Theta<T> theta(t, e);
      const uint8_t* need = need_of(t, sides.positions, e);
      T* y = element<T>(t, sides.positions, e) + sides.position_offset;
      for (int64_t first = 0; first < sides.n_streams; first += kWarp) {
        uint32_t streams = wanted_of(team, sides.n_streams, first, kWarp, [&](int64_t i) { return x.active(i); });
        for (; streams; streams &= streams - 1) {
          const int64_t s = first + first_bit(streams);
          const T c0 = x[s] * theta.c[0], c1 = x[s] * theta.c[1];
          synapses.each(team, s, from, to, [&](int, int64_t position, T z) {
            if (!need || need[position]) y[position] += c0 + c1 * z;
          });
          team.sync();
        }
      }
    }
  }
};

// y[stream] += sum of w * v[position]. One team owns a stream.
template <typename T, typename W>
struct Pull {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Sides sides(t);
    const Share share(t, sides.n_streams, index);
    const Synapses<T> synapses(t);
    for (int64_t e = share.e * t.shared; e < (share.e + 1) * t.shared; ++e) {
      const uint8_t* need = need_of(t, sides.streams, e);
      uint32_t streams = wanted_of(team, sides.n_streams, share.first, t.rows_per_team,
                                   [&](int64_t i) { return !need || need[i]; });
      if (!streams) continue;
      const Values<T> v(t, sides.positions, e);
      const Theta<T> theta(t, e);
      T* y = element<T>(t, sides.streams, e) + sides.stream_offset;
      for (; streams; streams &= streams - 1) {
        const int64_t s = share.first + first_bit(streams);
        PerLane<T> part;
        team.each([&](int lane) { part[lane] = 0; });
        synapses.each(team, s, 0, sides.n_positions, [&](int lane, int64_t position, T z) {
          if (v.needed(position)) part[lane] += (theta.c[0] + theta.c[1] * z) * v[position];
        });
        const T sum = team.sum(part);
        team.once([&] { y[s] += sum; });
      }
    }
  }
};

// Adds the sums of x[row] * v[col] * (1, z) over the synapses of the given streams to `sums`.
template <typename T>
BRAINFN_DEVICE void add_dots(const Task& t, const Sides& sides, const Synapses<T>& synapses, const Team& team,
                             int64_t e, int64_t first, uint32_t streams, int64_t from, int64_t to,
                             PerLane<T>* sums) {
  const Values<T> a(t, sides.streams, e), b(t, sides.positions, e);
  for (; streams; streams &= streams - 1) {
    const int64_t s = first + first_bit(streams);
    const T value = a[s];
    synapses.each(team, s, from, to, [&](int lane, int64_t position, T z) {
      if (!b.needed(position)) return;
      const T product = value * b[position];
      sums[0][lane] += product;
      sums[1][lane] += product * z;
    });
  }
}

template <typename T>
BRAINFN_DEVICE void clear(const Team& team, PerLane<T>* sums) {
  team.each([&](int lane) { sums[0][lane] = sums[1][lane] = 0; });
}

// y += sums of x[row] * v[col] * (1, z), by atomics: each team adds those of its streams, in any order.
template <typename T, typename W>
struct Dot {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Sides sides(t);
    const Share share(t, sides.n_streams, index);
    const Values<T> a(t, sides.streams, share.e);
    const uint32_t streams =
        wanted_of(team, sides.n_streams, share.first, t.rows_per_team, [&](int64_t i) { return a.active(i); });
    if (!streams) return;
    const Synapses<T> synapses(t);
    PerLane<T> sums[2];
    clear(team, sums);
    add_dots(t, sides, synapses, team, share.e, share.first, streams, share.begin(sides.n_positions),
             share.end(sides.n_positions), sums);
    T* y = element<T>(t, kW, share.e);
    const T sum = team.sum(sums[0]), sum_z = team.sum(sums[1]);
    team.once([&] {
      atomic_add(y, sum);
      if (t.pattern.law != jit::kHomogeneous) atomic_add(y + 1, sum_z);
    });
  }
};

// The same by one team, which takes batch elements and streams in order.
template <typename T, typename W>
struct DotOrdered {
  BRAINFN_DEVICE static void run(const Task& t, int64_t index, const Team& team) {
    const Sides sides(t);
    const Synapses<T> synapses(t);
    for (int64_t e = index * t.shared; e < (index + 1) * t.shared; ++e) {
      const Values<T> a(t, sides.streams, e);
      PerLane<T> sums[2];
      clear(team, sums);
      for (int64_t first = 0; first < sides.n_streams; first += kWarp) {
        const uint32_t streams =
            wanted_of(team, sides.n_streams, first, kWarp, [&](int64_t i) { return a.active(i); });
        add_dots(t, sides, synapses, team, e, first, streams, 0, sides.n_positions, sums);
      }
      T* y = element<T>(t, kW, e);
      const T sum = team.sum(sums[0]), sum_z = team.sum(sums[1]);
      team.once([&] {
        y[0] += sum;
        if (t.pattern.law != jit::kHomogeneous) y[1] += sum_z;
      });
    }
  }
};

}  // namespace brainfn
