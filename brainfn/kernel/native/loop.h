// Many steps of a network in one call: spikes as lists, one block of neurons for each thread.
//
// Thread t owns a range of the neurons of every group, with their receptors and ring buffers; only lists of spikes are
// read by others. Threads meet once in each step that ends a smallest delay. A sum has its terms in the order in which
// one thread would add them, so the results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#if defined(__x86_64__)
#define RELAX() __builtin_ia32_pause()
#else
#define RELAX() ((void)0)
#endif

#include <sched.h>

namespace {

// Runs parts that wait for each other, one in each thread; false where they can't all run at the same time.
typedef bool (*Together)(int parts, void (*work)(void*, int), void* context);
Together the_together = nullptr;

class Barrier {
 public:
  explicit Barrier(int n) : n_(n) {}
  void wait() {
    if (n_ == 1) return;
    const int phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_ - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; phase_.load(std::memory_order_acquire) == phase; ++spins) {
      // A thread that shares its core with another program must let it go on.
      if (spins < 4000) {
        RELAX();
      } else {
        sched_yield();
      }
    }
  }

 private:
  const int n_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> phase_{0};
};

// A group of neurons; `advance` makes step number `at` of [from, to) and appends the spikes to a list.
struct Group {
  int64_t n = 0;
  void (*advance)(const void* call, int64_t at, int64_t from, int64_t to, List* list) = nullptr;
  const void* call = nullptr;
  int32_t* counts = nullptr;  // spikes so far, or null
  uint8_t* bits = nullptr;    // rows of bits, one for each step from the first, or null
  int64_t row = 0;            // bytes of a row
  double cost = 0;            // microseconds a step
  int64_t longest = 1;        // the longest delay of its lines
};

// Neighbouring neurons in a delay line.
struct Piece {
  int64_t first, at, size;  // neurons of the group, and where they are in the line
};

// A delay line: dense rows of signals before and after the loop.
struct Line {
  int group = 0;
  int64_t steps = 1, width = 0;
  void* rows = nullptr;
  int bytes = 1;  // of a signal
  std::vector<Piece> pieces;
};

// Connections from a range of a group to accumulators, or with delays of their own to a ring buffer.
struct Route {
  int source = 0, target = 0;         // groups
  int64_t steps = 1;                  // delay
  int64_t first = 0, rows = 0;        // neurons of the source
  int64_t column = 0, columns = 0;    // neurons of the target
  const int32_t* indices = nullptr;
  const void* indptr = nullptr;       // null: `fan` in each row
  bool wide = false;
  int64_t fan = 0;
  const void* weights = nullptr;
  bool scalar = false;
  void* sums = nullptr;
  const void* delays = nullptr;       // of each synapse, in `delay_bytes` bytes
  int delay_bytes = 0;
  int64_t slots = 0, width = 0;       // of the ring buffer
};

// A ring buffer whose present slot is added to accumulators.
struct Ring {
  int group = 0;
  int64_t slots = 0, width = 0;
  void* rows = nullptr;
  void* sums = nullptr;
};

// What arrives at neurons [first, first + size) of a group in each step: given amounts, or Poisson numbers of one mean,
// those of `random.poisson` with the key of the step and two numbers folded into it.
struct Arrivals {
  int group = 0;
  int64_t first = 0, size = 0;
  const void* rows = nullptr;  // given amounts
  int64_t step = 0;            // numbers from row to row
  bool each = false;           // one for each neuron
  const uint32_t* key = nullptr;
  uint32_t codes[2] = {0, 0};
  const void* table = nullptr;  // cumulative probabilities
  int64_t terms = 0;
  const void* weight = nullptr;
  void* sums = nullptr;
};

// Threefry-2x32 with 20 rounds (Salmon et al. 2011) of single numbers or of vectors.
template <typename U>
INLINE void threefry(uint32_t k0, uint32_t k1, U& x0, U& x1) {
  const uint32_t schedule[3] = {k0, k1, k0 ^ k1 ^ 0x1bd11bdau};
  constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  x0 += k0;
  x1 += k1;
#pragma GCC unroll 5
  for (int i = 0; i < 5; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const int by = rotations[i % 2][j];
      x0 += x1;
      x1 = (x1 << by | x1 >> (32 - by)) ^ x0;
    }
    x0 += schedule[(i + 1) % 3];
    x1 += schedule[(i + 2) % 3] + static_cast<uint32_t>(i + 1);
  }
}

struct Words {
  uint32_t a, b;
  Words fold(uint32_t data) const {
    Words out{0, data};
    threefry(a, b, out.a, out.b);
    return out;
  }
  // Two words of random bits, as `jax.random.bits` makes them.
  Words bits() const {
    const Words x = fold(0), y = fold(1);
    return {x.a ^ x.b, y.a ^ y.b};
  }
};

struct Loop {
  int64_t step = 0, steps = 0, first = 0;
  std::vector<Group> groups;
  std::vector<Line> lines;
  std::vector<Route> routes;
  std::vector<Ring> rings;
  std::vector<Arrivals> arrivals;
  std::vector<Kept> kept;
  std::vector<void*> rules;  // `Rule`s
};

template <typename T>
class Runner {
 public:
  Runner(const Loop& loop, int threads) : loop_(loop), threads_(threads), barrier_(threads) {
    least_ = 1 << 20;
    for (const Route& r : loop.routes) least_ = std::min(least_, r.steps);
    for (const Group& g : loop.groups) {
      // Threads may be up to `least_` steps apart.
      const int64_t slots = g.longest + std::min<int64_t>(least_, loop.steps) + 1;
      lists_.emplace_back(slots * threads);
      storage_.emplace_back(new int32_t[slots * (g.n + 1)]);
      for (int64_t s = 0; s < slots; ++s) {
        for (int t = 0; t < threads; ++t) {
          lists_.back()[s * threads + t].neurons = storage_.back().get() + s * g.n + bound(g, t);
        }
      }
      slots_.push_back(slots);
    }
    for (const Route& r : loop.routes) shares_.push_back(shares(r));
    keepers_.resize(threads);
    for (int t = 0; t < threads; ++t) {
      for (const Kept& k : loop.kept) {
        const Group& g = loop.groups[k.group];
        keepers_[t].emplace_back(k, bound(g, t), bound(g, t + 1));
      }
    }
    for (void* rule : loop.rules) {
      rules_.push_back(static_cast<Rule<T>*>(rule));
      rules_.back()->begin();
    }
    read_lines();
  }

  // Makes the steps, or fewer where the other threads do not get their cores.
  void work(int t) {
    const int64_t end = loop_.step + loop_.steps;
    int64_t waited = 0, since = loop_.step;
    auto begun = Clock::now();
    for (int64_t step = loop_.step; step < end; ++step) {
      for (const Arrivals& a : loop_.arrivals) arrive(a, step, t);
      for (size_t i = 0; i < loop_.routes.size(); ++i) {
        const Route& r = loop_.routes[i];
        const int32_t* ends = shares_[i].empty() ? nullptr : shares_[i].data();
        if (r.indptr == nullptr) {
          scatter<Even>(r, ends, step, t);
        } else if (r.wide) {
          scatter<int64_t>(r, ends, step, t);
        } else {
          scatter<int32_t>(r, ends, step, t);
        }
      }
      for (const Ring& r : loop_.rings) {
        const Group& g = loop_.groups[r.group];
        T* sums = static_cast<T*>(r.sums);
        T* slot = static_cast<T*>(r.rows) + step % r.slots * r.width;
        const int64_t to = bound(g, t + 1);
        for (int64_t i = bound(g, t); i < to; ++i) {
          sums[i] += slot[i];
          slot[i] = 0;
        }
      }
      for (size_t g = 0; g < loop_.groups.size(); ++g) {
        const Group& group = loop_.groups[g];
        List& list = list_of(g, step, t);
        list.count = 0;
        group.advance(group.call, step - loop_.first, bound(group, t), bound(group, t + 1), &list);
        if (group.counts != nullptr) {
          for (int64_t k = 0; k < list.count; ++k) ++group.counts[list.neurons[k]];
        }
        if (group.bits != nullptr) {
          // The first neuron is in the highest bit; no byte belongs to two threads.
          uint8_t* row = group.bits + (step - loop_.first) * group.row;
          for (int64_t k = 0; k < list.count; ++k) row[list.neurons[k] / 8] |= 0x80 >> list.neurons[k] % 8;
        }
      }
      for (Rule<T>* rule : rules_) learn(*rule, step, t);
      for (size_t i = 0; i < loop_.kept.size(); ++i) {
        keepers_[t][i].keep(step - loop_.first, list_of(loop_.kept[i].group, step, t));
      }
      if (threads_ == 1 || (step - loop_.step + 1) % least_ != 0) continue;
      if (t != 0) {
        barrier_.wait();
      } else {
        const auto before = Clock::now();
        barrier_.wait();
        const auto after = Clock::now();
        waited += (after - before).count();
        if (step - since >= 64) {
          // Most time is spent in waiting: the cores are taken. All threads see this when they meet next.
          if (waited > (after - begun).count() * 2 / 3) stop_.store(step + least_ + 1, std::memory_order_relaxed);
          waited = 0;
          since = step;
          begun = after;
        }
      }
      if (step + 1 >= stop_.load(std::memory_order_relaxed)) {
        if (t == 0) done_ = step + 1;
        return;
      }
    }
    if (t != 0) return;
    done_ = end;
    crowded_ = waited > (Clock::now() - begun).count() * 2 / 3;
  }

  // Whether the last steps were spent in waiting.
  bool crowded() const { return crowded_; }

  // The step after the last one made.
  int64_t done() const { return done_; }

  void write_lines() {
    const int64_t end = done_;
    for (const Line& line : loop_.lines) {
      for (int64_t step = std::max(loop_.step, end - line.steps); step < end; ++step) {
        char* row = static_cast<char*>(line.rows) + step % line.steps * line.width * line.bytes;
        std::memset(row, 0, line.width * line.bytes);
        for (int t = 0; t < threads_; ++t) {
          const List& list = list_of(line.group, step, t);
          for (int64_t k = 0; k < list.count; ++k) {
            for (const auto& piece : line.pieces) {
              const int64_t at = list.neurons[k] - piece.first;
              if (at < 0 || at >= piece.size) continue;
              set_one(row, piece.at + at, line.bytes);
            }
          }
        }
      }
    }
  }

  // Whether all signals in the lines are spikes: 0 or 1.
  bool only_spikes() const { return only_spikes_; }

 private:
  // Row pointers of a matrix with as many elements in each row.
  struct Even {};

  static double signal(const char* row, int64_t i, int bytes) {
    if (bytes == 1) return row[i];
    if (bytes == 4) return reinterpret_cast<const float*>(row)[i];
    return reinterpret_cast<const double*>(row)[i];
  }

  // Multiples of the number of lanes in the widest registers.
  int64_t bound(const Group& g, int t) const { return t == threads_ ? g.n : g.n * t / threads_ / 64 * 64; }

  List& list_of(size_t g, int64_t step, int t) {
    const int64_t slots = slots_[g], slot = (step % slots + slots) % slots;
    return lists_[g][slot * threads_ + t];
  }

  void read_lines() {
    for (const Line& line : loop_.lines) {
      const Group& g = loop_.groups[line.group];
      for (int64_t back = 1; back <= line.steps; ++back) {
        const int64_t step = loop_.step - back;
        const int64_t at = (step % line.steps + line.steps) % line.steps;
        const char* row = static_cast<const char*>(line.rows) + at * line.width * line.bytes;
        // Several lines of a group hold the spikes of different neurons, or the same ones.
        std::vector<int32_t> found;
        for (int t = 0; t < threads_; ++t) {
          const List& list = list_of(line.group, step, t);
          found.insert(found.end(), list.neurons, list.neurons + list.count);
        }
        for (const auto& piece : line.pieces) {
          for (int64_t i = 0; i < piece.size; ++i) {
            const double x = signal(row, piece.at + i, line.bytes);
            if (x == 0) continue;
            only_spikes_ = only_spikes_ && x == 1;
            found.push_back(static_cast<int32_t>(piece.first + i));
          }
        }
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
        for (int t = 0; t < threads_; ++t) {
          const auto from = std::lower_bound(found.begin(), found.end(), bound(g, t));
          const auto to = std::lower_bound(from, found.end(), bound(g, t + 1));
          List& list = list_of(line.group, step, t);
          list.count = std::copy(from, to, list.neurons) - list.neurons;
        }
      }
    }
  }

  template <typename P>
  static int64_t pointer(const Route& r, int64_t row) {
    if constexpr (std::is_same_v<P, Even>) {
      return row * r.fan;
    } else {
      return static_cast<const P*>(r.indptr)[row];
    }
  }

  // The first of the sorted columns [from, to) that is not below `column`.
  static int64_t lower(const int32_t* indices, int64_t from, int64_t to, int64_t column) {
    int64_t n = to - from;
    while (n > 0) {
      const int64_t half = n / 2;
      const bool below = indices[from + half] < column;
      from = below ? from + half + 1 : from;
      n = below ? n - half - 1 : half;
    }
    return from;
  }

  void arrive(const Arrivals& a, int64_t step, int t) {
    const Group& g = loop_.groups[a.group];
    const int64_t from = std::max(bound(g, t), a.first), to = std::min(bound(g, t + 1), a.first + a.size);
    if (a.rows != nullptr) {
      const T* row = static_cast<const T*>(a.rows) + (step - loop_.first) * a.step;
      T* sums = static_cast<T*>(a.sums);
      for (int64_t i = from; i < to; ++i) sums[i] += row[a.each ? i - a.first : 0];
      return;
    }
    const Words key{a.key[0], a.key[1]};
    const Words words = key.fold(static_cast<uint32_t>(step)).fold(a.codes[0]).fold(a.codes[1]).bits();
    const T* table = static_cast<const T*>(a.table);
    const T weight = *static_cast<const T*>(a.weight);
    T* sums = static_cast<T*>(a.sums);
    using V = std::conditional_t<sizeof(T) == 8, f64, f32>;
    for (int64_t i = from; i < to; i += W) {
      u32 high{}, low = lanes<u32>() + static_cast<uint32_t>(i - a.first);
      threefry(words.a, words.b, high, low);
      V u;
      if constexpr (sizeof(T) == 8) {
        u = convert<f64>(high >> 5) * 0x1p-27 + convert<f64>(low >> 6) * 0x1p-53;
      } else {
        u = convert<f32>(high >> 8) * 0x1p-24f;
      }
      signed_of<V> count{};
      for (int64_t k = 0; k < a.terms; ++k) {
        const auto above = u >= table[k];
        count -= above;
        int64_t any = 0;
        for (int l = 0; l < W; ++l) any |= above[l];
        if (any == 0) break;
      }
      const V amount = __builtin_convertvector(count, V) * weight;
      for (int l = 0; l < W && i + l < to; ++l) sums[i + l] += amount[l];
    }
  }

  // Where in each row the share of each thread but the last ends, for loops that are long enough to gain from it; else
  // empty, and every row is searched when it is used.
  std::vector<int32_t> shares(const Route& r) const {
    if (r.indptr == nullptr) return shares_of<Even>(r);
    return r.wide ? shares_of<int64_t>(r) : shares_of<int32_t>(r);
  }

  template <typename P>
  std::vector<int32_t> shares_of(const Route& r) const {
    std::vector<int32_t> out;
    if (threads_ == 1 || r.rows > loop_.steps * 4) return out;
    const Group& target = loop_.groups[r.target];
    out.resize(r.rows * (threads_ - 1));
    for (int64_t row = 0; row < r.rows; ++row) {
      const int64_t a = pointer<P>(r, row), b = pointer<P>(r, row + 1);
      for (int t = 0; t < threads_ - 1; ++t) {
        out[row * (threads_ - 1) + t] = static_cast<int32_t>(lower(r.indices, a, b, bound(target, t + 1) - r.column) - a);
      }
    }
    return out;
  }

  // Narrows the elements [a, b) of a row to those that belong to a thread.
  void own(const Route& r, const int32_t* ends, int64_t row, int t, int64_t& a, int64_t& b) const {
    const Group& target = loop_.groups[r.target];
    const int64_t from = bound(target, t) - r.column, to = bound(target, t + 1) - r.column;
    const int others = threads_ - 1;
    if (ends != nullptr) {
      const int64_t begin = a;
      if (t > 0) a = begin + ends[row * others + t - 1];
      if (t < others) b = begin + ends[row * others + t];
    } else {
      if (from > 0) a = lower(r.indices, a, b, from);
      if (to < r.columns) b = lower(r.indices, a, b, to);
    }
  }

  // A step of a plasticity rule, after that of the neurons.
  void learn(Rule<T>& rule, int64_t step, int t) {
    const Route& r = loop_.routes[rule.route];
    const Group& target = loop_.groups[r.target];
    const int64_t from = std::max<int64_t>(bound(target, t) - r.column, 0);
    const int64_t to = std::min(bound(target, t + 1) - r.column, r.columns);
    if (t > 0 && from >= to) return;
    const List& fired = list_of(r.target, step, t);
    char* arrivals = rule.arrived < 0 ? nullptr : static_cast<char*>(rule.at(t, rule.arrived).data);
    char* spikes = rule.fired < 0 ? nullptr : static_cast<char*>(rule.at(t, rule.fired).data);
    if (arrivals != nullptr) {
      each_arrived(r, step, [&](int64_t row) { set_one(arrivals, row, rule.arrived_bytes); });
    }
    if (spikes != nullptr) {
      each_of(fired, r.column, r.columns, [&](int64_t i) { set_one(spikes, i, rule.fired_bytes); });
    }
    T* w = static_cast<T*>(const_cast<void*>(r.weights));
    // The weights onto a neuron lie far apart: they are asked for early, while others are changed.
    const bool apart = rule.order != nullptr;
    if (apart) each_of(fired, r.column, r.columns, [&](int64_t i) { rule.fetch_places(i); });
    rule.copy(t, from, to);
    rule.run(t, false, from, to);
    if (apart) each_of(fired, r.column, r.columns, [&](int64_t i) { rule.fetch_weights(w, i); });
    const int32_t* ends = shares_[rule.route].empty() ? nullptr : shares_[rule.route].data();
    for (const Update<T>& u : rule.of[t].updates) {
      const auto on_row = [&](int64_t row) {
        int64_t a, b;
        if (r.indptr == nullptr) {
          a = row * r.fan, b = a + r.fan;
        } else if (r.wide) {
          a = pointer<int64_t>(r, row), b = pointer<int64_t>(r, row + 1);
        } else {
          a = pointer<int32_t>(r, row), b = pointer<int32_t>(r, row + 1);
        }
        own(r, ends, row, t, a, b);
        rule.on_row(u, w, r.indices, row, a, b);
      };
      const auto on_column = [&](int64_t i) { rule.on_column(u, w, i); };
      if (u.everywhere) {
        const int64_t first = u.pre ? 0 : from, stop = u.pre ? r.rows : to;
        for (int64_t i = first; i < stop; ++i) {
          if (u.x[i] == T(0)) continue;
          u.pre ? on_row(i) : on_column(i);
        }
      } else if (u.pre) {
        each_arrived(r, step, on_row);
      } else {
        each_of(fired, r.column, r.columns, on_column);
      }
    }
    rule.run(t, true, from, to);
    if (arrivals != nullptr) {
      const int64_t size = rule.arrived_bytes;
      each_arrived(r, step, [&](int64_t row) { std::memset(arrivals + row * size, 0, size); });
    }
    if (spikes != nullptr) {
      const int64_t size = rule.fired_bytes;
      each_of(fired, r.column, r.columns, [&](int64_t i) { std::memset(spikes + i * size, 0, size); });
    }
  }

  template <typename F>
  static void each_of(const List& list, int64_t first, int64_t size, F f) {
    for (int64_t k = 0; k < list.count; ++k) {
      const int64_t i = list.neurons[k] - first;
      if (i >= 0 && i < size) f(i);
    }
  }

  // The rows of a route whose spikes arrive.
  template <typename F>
  void each_arrived(const Route& r, int64_t step, F f) {
    for (int other = 0; other < threads_; ++other) {
      each_of(list_of(r.source, step - r.steps, other), r.first, r.rows, f);
    }
  }

  template <typename P>
  void scatter(const Route& r, const int32_t* ends, int64_t step, int t) {
    const Group& target = loop_.groups[r.target];
    const int64_t from = bound(target, t) - r.column, to = bound(target, t + 1) - r.column;
    if (to <= 0 || from >= r.columns) return;
    for (int other = 0; other < threads_; ++other) {
      const List& list = list_of(r.source, step - r.steps, other);
      for (int64_t k = 0; k < list.count; ++k) {
        const int64_t row = list.neurons[k] - r.first;
        if (row < 0 || row >= r.rows) continue;
        if (k + 8 < list.count) fetch_pointer<P>(r, ends, list.neurons[k + 8] - r.first);
        if (k + 2 < list.count) fetch<P>(r, list.neurons[k + 2] - r.first);
        int64_t a = pointer<P>(r, row), b = pointer<P>(r, row + 1);
        own(r, ends, row, t, a, b);
        add(r, a, b, step);
      }
    }
  }

  template <typename P>
  void fetch_pointer(const Route& r, const int32_t* ends, int64_t row) const {
    if (row < 0 || row >= r.rows) return;
    if constexpr (!std::is_same_v<P, Even>) __builtin_prefetch(static_cast<const P*>(r.indptr) + row);
    if (ends != nullptr) __builtin_prefetch(ends + row * (threads_ - 1));
  }

  template <typename P>
  static void fetch(const Route& r, int64_t row) {
    if (row < 0 || row >= r.rows) return;
    const int64_t a = pointer<P>(r, row), b = std::min(pointer<P>(r, row + 1), a + 128);
    for (int64_t k = a; k < b; k += 16) __builtin_prefetch(r.indices + k);
    if (!r.scalar) {
      const char* w = static_cast<const char*>(r.weights);
      for (int64_t k = a; k < b; k += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(w + k * sizeof(T));
    }
    if (r.delays != nullptr) __builtin_prefetch(static_cast<const char*>(r.delays) + a * r.delay_bytes);
  }

  void add(const Route& r, int64_t a, int64_t b, int64_t step) {
    if (r.delays == nullptr) {
      T* sums = static_cast<T*>(r.sums) + r.column;
      if (r.scalar) {
        const T w = *static_cast<const T*>(r.weights);
        for (int64_t k = a; k < b; ++k) sums[r.indices[k]] += w;
      } else {
        const T* w = static_cast<const T*>(r.weights);
        for (int64_t k = a; k < b; ++k) sums[r.indices[k]] += w[k];
      }
      return;
    }
    if (r.delay_bytes == 1) {
      add_later(r, static_cast<const uint8_t*>(r.delays), a, b, step);
    } else {
      add_later(r, static_cast<const uint16_t*>(r.delays), a, b, step);
    }
  }

  template <typename D>
  void add_later(const Route& r, const D* delays, int64_t a, int64_t b, int64_t step) {
    const int64_t now = std::max<int64_t>(step - 1, 0) % r.slots;
    T* rows = static_cast<T*>(r.sums) + r.column;
    const T* w = static_cast<const T*>(r.weights);
    for (int64_t k = a; k < b; ++k) {
      int64_t slot = now + delays[k];
      slot = slot >= r.slots ? slot - r.slots : slot;
      rows[slot * r.width + r.indices[k]] += r.scalar ? *w : w[k];
    }
  }

  using Clock = std::chrono::steady_clock;

  const Loop& loop_;
  const int threads_;
  Barrier barrier_;
  std::atomic<int64_t> stop_{INT64_MAX};
  int64_t done_ = 0;
  bool crowded_ = false;
  int64_t least_ = 1;
  bool only_spikes_ = true;
  std::vector<std::vector<List>> lists_;
  std::vector<std::unique_ptr<int32_t[]>> storage_;
  std::vector<int64_t> slots_;
  std::vector<std::vector<int32_t>> shares_;
  std::vector<std::vector<Keeper>> keepers_;
  std::vector<Rule<T>*> rules_;
};

// Steps that one thread is to make alone, and how many the next time: other programs have the cores. A run may consist of
// many calls.
std::atomic<int64_t> the_alone{0};
std::atomic<int64_t> the_patience{2048};

// Makes all steps; whether the signals in the delay lines were spikes.
template <typename T>
bool run_loop(const Loop& loop) {
  double cost = 0;
  for (const Group& g : loop.groups) cost += g.cost;
  // Threads have to meet in every step, which takes about a microsecond.
  const int most = cost < 3 ? 1 : the_thread_count;
  struct Job {
    Runner<T>* runner;
    unsigned mode;
  } job{nullptr, 0};
#if defined(__x86_64__)
  job.mode = __builtin_ia32_stmxcsr();
#endif
  const auto work = [](void* context, int t) {
    Job* job = static_cast<Job*>(context);
    // Subnormal numbers are treated in every thread as in the one that calls.
#if defined(__x86_64__)
    const unsigned own = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(job->mode);
#endif
    job->runner->work(t);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(own);
#endif
  };
  // Where other programs take the cores, one thread alone is faster than several that wait for each other; after some
  // steps they try again.
  Loop rest = loop;
  int64_t alone = the_alone.load();
  while (rest.steps > 0) {
    const int threads = alone > 0 ? 1 : most;
    Loop now = rest;
    if (alone > 0) now.steps = std::min(now.steps, alone);
    Runner<T> runner(now, threads);
    if (!runner.only_spikes()) return false;
    job.runner = &runner;
    if (threads == 1) {
      work(&job, 0);
      alone = std::max<int64_t>(alone - now.steps, 0);
    } else {
      if (the_together == nullptr || !the_together(threads, work, &job)) {
        alone = rest.steps;  // the threads have other work
        continue;
      }
      const bool stopped = runner.done() < now.step + now.steps || runner.crowded();
      if (stopped) alone = the_patience.load();
      the_patience.store(stopped ? std::min<int64_t>(2 * alone, 1 << 20) : 2048);
    }
    runner.write_lines();
    rest.steps -= runner.done() - rest.step;
    rest.step = runner.done();
  }
  the_alone.store(alone);
  return true;
}

inline XLA_FFI_Error* failure(XLA_FFI_CallFrame* frame, const char* message) {
  XLA_FFI_Error_Create_Args args;
  args.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
  args.extension_start = nullptr;
  args.message = message;
  args.errc = XLA_FFI_Error_Code_INVALID_ARGUMENT;
  return frame->api->XLA_FFI_Error_Create(&args);
}

}  // namespace
