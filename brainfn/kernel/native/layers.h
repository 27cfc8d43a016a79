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

// How the inputs of the first layer are stored.
enum class Stored { numbers, bools, bits };

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
