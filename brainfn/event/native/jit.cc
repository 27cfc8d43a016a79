// Just-in-time blocks: decodes the block, collects the active streams, and shares the loops out among threads.

#include <algorithm>
#include <cstring>
#include <vector>

#include "active.h"
#include "jit.h"
#include "jit_call.h"
#include "jit_loops.h"
#include "pool.h"
#include "structure.h"

namespace brainfn {
namespace {

using jit::Entry;
using jit::Loops;
using jit::Plan;
using jit::Pull;
using jit::Push;

// Synapses below which a second thread does not pay.
constexpr double kThreadWork = 20000;
// Parts for each thread: they are taken as threads become free.
constexpr int kPartsPerThread = 8;
// Batch elements that must share a stream, on average, before it pays to make it once for all of them: their
// accumulators are far apart.
constexpr int64_t kShared = 3;
// Values in the sums of a part of the pull loop.
constexpr int64_t kSums = 4096;

const Loops& loops() {
  static const Loops& best = has_avx2() && jit::loops_avx2() ? *jit::loops_avx2() : jit::loops_generic();
  return best;
}

inline void run(const Push<float>& work, int64_t from, int64_t to) { loops().push32(work, from, to); }
inline void run(const Push<double>& work, int64_t from, int64_t to) { loops().push64(work, from, to); }
inline void run(const Pull<float>& work) { loops().pull32(work); }
inline void run(const Pull<double>& work) { loops().pull64(work); }

// The static integers of a block, see `extra` in _jit.py.
struct Flags {
  bool fixed, columns, exclude;
  int law, bits;
  explicit Flags(int64_t x)
      : fixed(x & 1), columns(x >> 1 & 1), exclude(x >> 2 & 1), law(x >> 3 & 3), bits(x >> 8 & 255) {}
};

void fill(Plan& plan, const int64_t* extra, const uint32_t* seed, const int32_t* origin, const uint32_t* table,
          int64_t n_thresholds, const int32_t* quantiles, int64_t n_rows, int64_t n_cols) {
  const Flags flags(extra[0]);
  plan.seed[0] = seed[0];
  plan.seed[1] = seed[1];
  plan.bits = flags.bits;
  plan.fixed = flags.fixed;
  plan.law = flags.law;
  plan.exclude = flags.exclude;
  plan.diagonal = extra[1];
  plan.fan_out = static_cast<uint32_t>(extra[2]);
  plan.extent = static_cast<uint32_t>(extra[3]);
  plan.first_stream = origin[flags.columns];
  plan.first_position = origin[!flags.columns];
  plan.n_streams = flags.columns ? n_cols : n_rows;
  plan.n_positions = flags.columns ? n_rows : n_cols;
  plan.quantiles = quantiles;
  plan.n_thresholds = static_cast<int>(std::min<int64_t>(n_thresholds, jit::kMaxThresholds));
  for (int i = 0; i < plan.n_thresholds; ++i) {
    plan.threshold[i] = static_cast<uint64_t>(table[2 * i]) << 32 | table[2 * i + 1];
  }
  int k = 0;
  for (int64_t i = 0; i < 256; ++i) {
    while (k < plan.n_thresholds && plan.threshold[k] <= static_cast<uint64_t>(i) << 56) ++k;
    plan.guide[i] = static_cast<uint16_t>(k);
  }
}

template <typename P>
const P* structure_of(const Call& call, const Block& b, int i) {
  return b.structure[i] < 0 ? nullptr : reinterpret_cast<const P*>(call.operand(kStructure, b.structure[i]).data);
}

void fill(Plan& plan, const Call& call, const Block& b) {
  fill(plan, b.extra, structure_of<uint32_t>(call, b, 0), structure_of<int32_t>(call, b, 1),
       structure_of<uint32_t>(call, b, 2), call.structure_size(b.structure[2]) / 2, structure_of<int32_t>(call, b, 3),
       b.n_rows, b.n_cols);
}

double mean_stream(const Plan& plan) {
  if (plan.fixed) return plan.extent > 0 ? static_cast<double>(plan.fan_out) * plan.n_positions / plan.extent : 0.0;
  double mean = 0;  // of a tile: the sum of P(count > j)
  for (int i = 0; i < plan.n_thresholds; ++i) mean += 1.0 - static_cast<double>(plan.threshold[i]) * 0x1p-64;
  return (mean + 1.0) * plan.n_tiles();
}

// One array over rows or columns of a block: its values at batch elements, and which of them count.
struct Side {
  Operand x;
  int role;
  int64_t offset, n;
  const uint8_t* need;  // of the first batch element, or null
  int64_t need_core;

  Side(const Call& call, const Block& b, int r)
      : x(call.operand(r, b.array[r])), role(r), offset(r == kRows ? b.row_offset : b.col_offset),
        n(r == kRows ? b.n_rows : b.n_cols), need(nullptr), need_core(0) {
    if (r == kRows && b.need >= 0) {
      const Operand mask = call.operand(kNeeds, b.need);
      need = reinterpret_cast<const uint8_t*>(mask.data) + b.row_offset;
      need_core = mask.core_size();
    }
  }

  bool is_bool() const { return x.dtype == ffi::DataType::PRED; }
  const uint8_t* need_at(const BatchWalk& walk, int64_t e) const {
    return need ? need + walk.at(kNeeds, e) * need_core : nullptr;
  }
  template <typename X>
  const X* at(const BatchWalk& walk, int64_t e) const {
    return reinterpret_cast<const X*>(x.data) + walk.at(role, e) * x.core_size() + offset;
  }

  // Positions of batch element e that are active and needed, ascending.
  template <typename T>
  int64_t active(const BatchWalk& walk, int64_t e, int32_t* out) const {
    int64_t count = is_bool() ? compact(at<uint8_t>(walk, e), n, out) : compact(at<T>(walk, e), n, out);
    if (const uint8_t* mask = need_at(walk, e)) {
      int64_t kept = 0;
      for (int64_t i = 0; i < count; ++i) {
        out[kept] = out[i];
        kept += mask[out[i]] != 0;
      }
      count = kept;
    }
    return count;
  }

  template <typename T>
  T value(const BatchWalk& walk, int64_t e, int64_t i) const {
    return is_bool() ? T(1) : at<T>(walk, e)[i];
  }
};

// The active streams of all batch elements: streams, where the entries of each start, and for each entry its batch
// element. Of one batch element: just the streams.
struct Streams {
  const int32_t* streams = nullptr;
  const int64_t* start = nullptr;
  const int32_t* element = nullptr;
  int64_t n = 0, n_entries = 0;
};

template <typename T>
Streams collect(const Side& side, const BatchWalk& walk, int64_t only = -1) {
  static thread_local Scratch<int32_t> stream_scratch, element_scratch, list_scratch;
  static thread_local Scratch<int64_t> start_scratch, next_scratch;
  Streams out;
  int32_t* streams = stream_scratch.reserve(side.n + 1);
  out.streams = streams;
  if (only >= 0) {
    out.n = out.n_entries = side.active<T>(walk, only, streams);
    return out;
  }
  // Counting sort of the active (stream, element) pairs by stream.
  int32_t* list = list_scratch.reserve(side.n + 1);
  int64_t* next = next_scratch.reserve(side.n + 1);
  std::fill(next, next + side.n + 1, 0);
  for (int64_t e = 0; e < walk.count; ++e) {
    const int64_t count = side.active<T>(walk, e, list);
    for (int64_t i = 0; i < count; ++i) ++next[list[i]];
    out.n_entries += count;
  }
  int64_t* start = start_scratch.reserve(side.n + 1);
  int32_t* element = element_scratch.reserve(out.n_entries + 1);
  int64_t total = 0;
  for (int64_t s = 0; s < side.n; ++s) {
    const int64_t count = next[s];
    next[s] = total;
    if (count == 0) continue;
    streams[out.n] = static_cast<int32_t>(s);
    start[out.n++] = total;
    total += count;
  }
  start[out.n] = total;
  for (int64_t e = 0; e < walk.count; ++e) {
    const int64_t count = side.active<T>(walk, e, list);
    for (int64_t i = 0; i < count; ++i) element[next[list[i]]++] = static_cast<int32_t>(e);
  }
  out.start = start;
  out.element = element;
  return out;
}

// Active streams write to their positions. `streams_role` is the role of the array over streams.
template <typename T>
void push(const Call& call, const Block& b, const Plan& plan, int streams_role) {
  static thread_local Scratch<Entry<T>> entry_scratch;
  static thread_local Scratch<T> sum_scratch;
  const int target_role = streams_role == kRows ? kCols : kRows;
  const Side side(call, b, streams_role), target(call, b, target_role);
  const Operand w = call.operand(kWeights, b.array[kWeights]);
  const BatchWalk walk = call.walk(b);
  // Where only some positions are needed, everything is summed apart first.
  const bool apart = target.need != nullptr;
  T* y = reinterpret_cast<T*>(target.x.data) + target.offset;
  if (apart) {
    y = sum_scratch.reserve(target.n * walk.count);
    std::fill(y, y + target.n * walk.count, T(0));
  }
  auto add = [&](const Streams& streams, int64_t only) {
    if (streams.n == 0) return;
    Entry<T>* entries = entry_scratch.reserve(streams.n_entries);
    for (int64_t i = 0; i < streams.n; ++i) {
      const int64_t from = streams.start ? streams.start[i] : i, to = streams.start ? streams.start[i + 1] : i + 1;
      for (int64_t k = from; k < to; ++k) {
        const int64_t e = streams.element ? streams.element[k] : only;
        const T* theta = reinterpret_cast<const T*>(w.data) + walk.at(kWeights, e) * w.core_size();
        const T x = side.value<T>(walk, e, streams.streams[i]);
        entries[k].offset = apart ? e * target.n : walk.at(target_role, e) * target.x.core_size();
        entries[k].c0 = x * theta[0];
        entries[k].c1 = plan.law == jit::kHomogeneous ? T(0) : x * theta[1];
      }
    }
    const bool same = only >= 0 && side.is_bool();
    const Push<T> work{&plan, streams.streams, streams.n, streams.start, entries, y, same};
    const bool threads = max_threads() > 1 && mean_stream(plan) * streams.n_entries > kThreadWork;
    const int64_t first = plan.first_tile(), n_tiles = plan.n_tiles();
    // Every thread makes all synapses of a fixed number and keeps its own.
    const int64_t pieces = plan.fixed ? plan.n_positions : n_tiles;
    const int most = plan.fixed ? max_threads() : max_threads() * kPartsPerThread;
    const int parts = threads ? static_cast<int>(std::min<int64_t>(pieces, most)) : 1;
    auto part = [&](int t) {
      const int64_t from = pieces * t / parts, to = pieces * (t + 1) / parts;
      plan.fixed ? run(work, from, to) : run(work, first + from, first + to);
    };
    parallel(parts, part);
  };
  const Streams together = walk.count > 1 ? collect<T>(side, walk) : Streams{};
  if (together.n_entries > kShared * together.n) {
    add(together, -1);
  } else {
    for (int64_t e = 0; e < walk.count; ++e) add(collect<T>(side, walk, e), e);
  }
  if (!apart) return;
  for (int64_t e = 0; e < walk.count; ++e) {
    const uint8_t* mask = target.need_at(walk, e);
    T* to = reinterpret_cast<T*>(target.x.data) + walk.at(target_role, e) * target.x.core_size() + target.offset;
    for (int64_t i = 0; i < target.n; ++i) {
      if (mask[i]) to[i] += y[e * target.n + i];
    }
  }
}

// The vectors that streams read, one for each batch element, in the dtype of the sums and zero where not needed.
template <typename T>
const T* const* vectors(const Side& side, const BatchWalk& walk) {
  static thread_local Scratch<const T*> pointer_scratch;
  static thread_local Scratch<T> value_scratch;
  const T** out = pointer_scratch.reserve(walk.count);
  const bool copy = side.is_bool() || side.need;
  T* values = copy ? value_scratch.reserve(side.n * walk.count) : nullptr;
  for (int64_t e = 0; e < walk.count; ++e) {
    if (!copy) {
      out[e] = side.at<T>(walk, e);
      continue;
    }
    T* to = values + e * side.n;
    out[e] = to;
    if (side.is_bool()) {
      const uint8_t* x = side.at<uint8_t>(walk, e);
      for (int64_t i = 0; i < side.n; ++i) to[i] = static_cast<T>(x[i] != 0);
    } else {
      std::copy(side.at<T>(walk, e), side.at<T>(walk, e) + side.n, to);
    }
    if (const uint8_t* mask = side.need_at(walk, e)) {
      for (int64_t i = 0; i < side.n; ++i) to[i] = mask[i] ? to[i] : T(0);
    }
  }
  return out;
}

// Calls use(begin, n, sums, stride) for parts of the streams (all if `streams` is null), in any order and on any thread.
template <typename T, typename F>
void pull(const Plan& plan, const int32_t* streams, int64_t n, const T* const* v, int64_t n_elements, F&& use) {
  if (n == 0) return;
  const int width = plan.law == jit::kHomogeneous ? 1 : 2;
  const int64_t chunk = std::clamp<int64_t>(kSums / (n_elements * width), 32, 2048) / jit::kLanes * jit::kLanes;
  const int64_t chunks = (n + chunk - 1) / chunk;
  const bool threads = max_threads() > 1 && mean_stream(plan) * n > kThreadWork;
  const int parts = threads ? static_cast<int>(std::min<int64_t>(chunks, max_threads() * kPartsPerThread)) : 1;
  auto part = [&](int t) {
    static thread_local Scratch<T> scratch;
    T* sums = scratch.reserve(chunk * n_elements * width);
    for (int64_t c = chunks * t / parts; c < chunks * (t + 1) / parts; ++c) {
      const int64_t begin = c * chunk, size = std::min(chunk, n - begin);
      const Pull<T> work{&plan, streams ? streams + begin : nullptr, begin, size, v, n_elements, sums};
      run(work);
      use(begin, size, sums, work.stride());
    }
  };
  parallel(parts, part);
}

// Streams read from all positions: y[stream] += theta_0 sum v + theta_1 sum z v.
template <typename T>
void pull_into(const Call& call, const Block& b, const Plan& plan, int streams_role) {
  const Side target(call, b, streams_role), source(call, b, streams_role == kRows ? kCols : kRows);
  const Operand w = call.operand(kWeights, b.array[kWeights]);
  const BatchWalk walk = call.walk(b);
  const T* const* v = vectors<T>(source, walk);
  const int width = plan.law == jit::kHomogeneous ? 1 : 2;
  auto add = [&](int64_t e, const int32_t* streams, int64_t begin, int64_t n, const T* sums, int64_t stride) {
    const T* theta = reinterpret_cast<const T*>(w.data) + walk.at(kWeights, e) * w.core_size();
    T* y = reinterpret_cast<T*>(target.x.data) + walk.at(streams_role, e) * target.x.core_size() + target.offset;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t s = streams ? streams[begin + i] : begin + i;
      y[s] += width == 1 ? theta[0] * sums[i] : theta[0] * sums[i] + theta[1] * sums[stride + i];
    }
  };
  if (!target.need) {
    pull<T>(plan, nullptr, target.n, v, walk.count, [&](int64_t begin, int64_t n, const T* sums, int64_t stride) {
      for (int64_t e = 0; e < walk.count; ++e) add(e, nullptr, begin, n, sums + e * stride * width, stride);
    });
    return;
  }
  static thread_local Scratch<int32_t> scratch;
  int32_t* needed = scratch.reserve(target.n + 1);
  for (int64_t e = 0; e < walk.count; ++e) {
    const int64_t count = compact(target.need_at(walk, e), target.n, needed);
    pull<T>(plan, needed, count, v + e, 1,
            [&](int64_t begin, int64_t n, const T* sums, int64_t stride) {
              add(e, needed, begin, n, sums, stride);
            });
  }
}

// Sums in pairs, so that the error does not grow with the number of streams.
template <typename T>
T pairwise(const T* x, int64_t n, int64_t step) {
  if (n <= 16) {
    T out = 0;
    for (int64_t i = 0; i < n; ++i) out += x[i * step];
    return out;
  }
  return pairwise(x, n / 2, step) + pairwise(x + n / 2 * step, n - n / 2, step);
}

template <typename T>
void sddmm_typed(const Call& call, const Block& b, const Plan& plan, int streams_role) {
  static thread_local Scratch<T> term_scratch;
  static thread_local Scratch<int32_t> stream_scratch;
  const Side side(call, b, streams_role), source(call, b, streams_role == kRows ? kCols : kRows);
  const Operand y = call.operand(kWeights, b.array[kWeights]);
  const BatchWalk walk = call.walk(b);
  const T* const* v = vectors<T>(source, walk);
  const int width = plan.law == jit::kHomogeneous ? 1 : 2;
  T* terms = term_scratch.reserve(width * side.n);
  int32_t* streams = stream_scratch.reserve(side.n + 1);
  for (int64_t e = 0; e < walk.count; ++e) {
    const int64_t count = side.active<T>(walk, e, streams);
    pull<T>(plan, streams, count, v + e, 1, [&](int64_t begin, int64_t n, const T* sums, int64_t stride) {
      for (int64_t i = 0; i < n; ++i) {
        const T x = side.value<T>(walk, e, streams[begin + i]);
        for (int k = 0; k < width; ++k) terms[(begin + i) * width + k] = x * sums[k * stride + i];
      }
    });
    T* to = reinterpret_cast<T*>(y.data) + walk.at(kWeights, e) * y.core_size();
    for (int k = 0; k < width; ++k) to[k] += pairwise(terms + k, count, width);
  }
}

template <typename F>
void with_plan(const Call& call, const Block& b, F f) {
  if (b.n_rows == 0 || b.n_cols == 0) return;
  Plan plan;
  fill(plan, call, b);
  f(plan, Flags(b.extra[0]).columns);
}

bool is_float32(const Call& call, int role) { return call.operand(role, 0).dtype == ffi::DataType::F32; }

}  // namespace

void scatter_jit(const Call& call, const Block& b) {
  with_plan(call, b, [&](const Plan& plan, bool columns) {
    const bool narrow = is_float32(call, kCols);
    if (columns) {
      narrow ? pull_into<float>(call, b, plan, kCols) : pull_into<double>(call, b, plan, kCols);
    } else {
      narrow ? push<float>(call, b, plan, kRows) : push<double>(call, b, plan, kRows);
    }
  });
}

void gather_jit(const Call& call, const Block& b) {
  with_plan(call, b, [&](const Plan& plan, bool columns) {
    const bool narrow = is_float32(call, kRows);
    if (columns) {
      narrow ? push<float>(call, b, plan, kCols) : push<double>(call, b, plan, kCols);
    } else {
      narrow ? pull_into<float>(call, b, plan, kRows) : pull_into<double>(call, b, plan, kRows);
    }
  });
}

void sddmm_jit(const Call& call, const Block& b) {
  with_plan(call, b, [&](const Plan& plan, bool columns) {
    const int role = columns ? kCols : kRows;
    is_float32(call, kWeights) ? sddmm_typed<float>(call, b, plan, role) : sddmm_typed<double>(call, b, plan, role);
  });
}

}  // namespace brainfn

extern "C" {

// Lists the synapses of streams [from, to) of a block: their number in counts, and, unless both are null, positions and
// z (as integers), ascending within each stream. Returns the number of synapses.
int64_t brainfn_jit_list(const int64_t* extra, const uint32_t* seed, const int32_t* origin, const uint32_t* table,
                         int64_t n_thresholds, const int32_t* quantiles, int64_t n_rows, int64_t n_cols, int64_t from,
                         int64_t to, int32_t* counts, int32_t* positions, int32_t* z) {
  using namespace brainfn;
  jit::Plan plan;
  fill(plan, extra, seed, origin, table, n_thresholds, quantiles, n_rows, n_cols);
  std::vector<uint64_t> order;
  int64_t total = 0;
  for (int64_t s = from; s < to; ++s) {
    const int64_t n = loops().list(plan, s, positions ? positions + total : nullptr, z ? z + total : nullptr);
    counts[s - from] = static_cast<int32_t>(n);
    if (positions) {
      order.resize(n);
      for (int64_t i = 0; i < n; ++i) {
        order[i] = static_cast<uint64_t>(positions[total + i]) << 32 | static_cast<uint32_t>(z[total + i]);
      }
      std::sort(order.begin(), order.end());
      for (int64_t i = 0; i < n; ++i) {
        positions[total + i] = static_cast<int32_t>(order[i] >> 32);
        z[total + i] = static_cast<int32_t>(order[i]);
      }
    }
    total += n;
  }
  return total;
}
}
