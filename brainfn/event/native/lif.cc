// One step of leaky integrate-and-fire neurons with linear synapses, in one pass over memory (see kernel/_lif_exponential.py).

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "pool.h"
#include "xla/ffi/api/ffi.h"

#define BRAINFN_INLINE inline __attribute__((always_inline))

namespace brainfn {
namespace {

namespace ffi = xla::ffi;

// Neurons are taken in blocks whose intermediate values stay in the first-level cache. A block is always computed
// whole, the last one with padding, so that a neuron's result does not depend on where it stands.
constexpr int kBlock = 128;
constexpr int kMaxLayers = 16;
// Below this many neurons for each thread handing work over costs more than it saves.
constexpr int64_t kNeuronsPerThread = 12288;

template <typename T>
struct Numbers;

template <>
struct Numbers<float> {
  using Int = int32_t;
  static constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  static constexpr float kLowest = -87.0f, kHighest = 88.0f;
  static constexpr int kBias = 127, kShift = 23, kTerms = 7;
};

template <>
struct Numbers<double> {
  using Int = int64_t;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kLn2High = 6.93145751953125e-1, kLn2Low = 1.42860682030941723212e-6;
  static constexpr double kLowest = -708.0, kHighest = 709.0;
  static constexpr int kBias = 1023, kShift = 52, kTerms = 13;
};

template <typename To, typename From>
BRAINFN_INLINE To bits_as(From x) {
  To y;
  std::memcpy(&y, &x, sizeof y);
  return y;
}

template <typename T>
BRAINFN_INLINE constexpr T inverse_factorial(int n) {
  T f = 1;
  for (int i = 2; i <= n; ++i) f *= T(i);
  return 1 / f;
}

// exp(z) - 1 without cancellation near 0: z = k ln 2 + r, exp(z) - 1 = 2^k (exp(r) - 1) + (2^k - 1).
template <typename T>
BRAINFN_INLINE T expm1_of(T z) {
  using N = Numbers<T>;
  using Int = typename N::Int;
  T x = z < N::kLowest ? N::kLowest : z;
  x = x > N::kHighest ? N::kHighest : x;
  const T shifted = x * T(1.44269504088896340736) + N::kRound;
  const T k = shifted - N::kRound;
  T r = x - k * N::kLn2High;
  r = r - k * N::kLn2Low;
  T p = inverse_factorial<T>(N::kTerms);
#pragma GCC unroll 16
  for (int n = N::kTerms - 1; n >= 1; --n) p = p * r + inverse_factorial<T>(n);
  const Int power = bits_as<Int>(shifted) - bits_as<Int>(T(N::kRound));
  const T scale = bits_as<T>(static_cast<Int>((power + N::kBias) << N::kShift));
  return scale * (p * r) + (scale - 1);
}

// What a block reads and writes: pointers to kBlock values each.
template <typename T>
struct Block {
  T* v;
  int32_t* rest;
  T* g[kMaxLayers];
  void* spikes;
  const T *current, *leak, *gain, *v_rest, *v_threshold, *v_reset;
  const int32_t* steps;
  const T *decay[kMaxLayers], *held[kMaxLayers], *reversal[kMaxLayers];
};

// v after a step of v' = drive - rate * v: exponential Euler, exact for these constants.
template <typename T>
BRAINFN_INLINE T relax(T v, T drive, T rate, T dt) {
  // The smallest normal number keeps 0 / 0 away and changes no other rate.
  const T z = std::numeric_limits<T>::min() - dt * rate;
  return v + dt * (expm1_of(z) / z) * (drive - rate * v);
}

// Threshold, reset, and the counter of refractory steps remaining.
template <typename T, typename S>
BRAINFN_INLINE void fire_block(const Block<T>& b) {
  T* __restrict v = b.v;
  int32_t* __restrict rest = b.rest;
  S* __restrict spikes = static_cast<S*>(b.spikes);
  const T *__restrict v_threshold = b.v_threshold, *__restrict v_reset = b.v_reset;
  const int32_t* __restrict steps = b.steps;
  // Everything is loaded whether needed or not: a load under a condition can't be vectorised.
  for (int i = 0; i < kBlock; ++i) {
    const T x = v[i], to = v_reset[i];
    const int32_t period = steps[i], left = rest[i] > 0 ? rest[i] - 1 : 0;
    const bool fires = x >= v_threshold[i];
    spikes[i] = fires ? S(1) : S(0);
    v[i] = fires ? to : x;
    rest[i] = fires ? period : left;
  }
}

// Any number of layers, parameters for each neuron.
template <typename T, typename S>
BRAINFN_INLINE void step_block(const Block<T>& b, int layers, const uint8_t* conductance, T dt) {
  alignas(64) T drive[kBlock], rate[kBlock];
  const T *__restrict leak = b.leak, *__restrict gain = b.gain, *__restrict v_rest = b.v_rest;
  const T* __restrict current = b.current;
  for (int i = 0; i < kBlock; ++i) {
    drive[i] = v_rest[i] * leak[i] + current[i] * gain[i];
    rate[i] = leak[i];
  }
  for (int l = 0; l < layers; ++l) {
    T* __restrict g = b.g[l];
    const T *__restrict decay = b.decay[l], *__restrict held = b.held[l];
    if (conductance[l]) {
      const T* __restrict reversal = b.reversal[l];
      for (int i = 0; i < kBlock; ++i) {
        const T x = g[i] * held[i] * gain[i];
        rate[i] += x;
        drive[i] += x * reversal[i];
        g[i] *= decay[i];
      }
    } else {
      for (int i = 0; i < kBlock; ++i) {
        drive[i] += g[i] * held[i] * gain[i];
        g[i] *= decay[i];
      }
    }
  }
  T* __restrict v = b.v;
  const int32_t* __restrict rest = b.rest;
  for (int i = 0; i < kBlock; ++i) {
    const T old = v[i], next = relax(old, drive[i], rate[i], dt);
    v[i] = rest[i] > 0 ? old : next;
  }
  fire_block<T, S>(b);
}

// Two layers and one set of parameters for all neurons: everything but the state stays in registers.
template <typename T, typename S>
BRAINFN_INLINE void step_block_uniform(const Block<T>& b, const uint8_t* conductance, T dt) {
  T* __restrict v = b.v;
  T *__restrict g0 = b.g[0], *__restrict g1 = b.g[1];
  const T leak = b.leak[0], gain = b.gain[0];
  const T base = b.v_rest[0] * leak + b.current[0] * gain;
  const T decay0 = b.decay[0][0], decay1 = b.decay[1][0];
  const T gain0 = gain * b.held[0][0], gain1 = gain * b.held[1][0];
  const T load0 = conductance[0] ? gain0 : 0, load1 = conductance[1] ? gain1 : 0;
  const T pull0 = conductance[0] ? gain0 * b.reversal[0][0] : gain0;
  const T pull1 = conductance[1] ? gain1 * b.reversal[1][0] : gain1;
  const T threshold = b.v_threshold[0];
  int32_t* __restrict counter = b.rest;
  int32_t any = 0;
  for (int i = 0; i < kBlock; ++i) {
    const T x0 = g0[i], x1 = g1[i], old = v[i];
    const T rate = leak + x0 * load0 + x1 * load1;
    const T drive = base + x0 * pull0 + x1 * pull1;
    const T next = relax(old, drive, rate, dt);
    const int32_t left = counter[i];
    const T kept = left > 0 ? old : next;
    g0[i] = x0 * decay0;
    g1[i] = x1 * decay1;
    v[i] = kept;
    counter[i] = left > 0 ? left - 1 : 0;
    any |= kept >= threshold ? 1 : 0;
  }
  // Most blocks are silent in most steps.
  S* __restrict spikes = static_cast<S*>(b.spikes);
  if (!any) {
    std::memset(spikes, 0, kBlock * sizeof(S));
    return;
  }
  const T to = b.v_reset[0];
  const int32_t period = b.steps[0];
  for (int i = 0; i < kBlock; ++i) {
    const T x = v[i];
    const int32_t left = counter[i];
    const bool fires = x >= threshold;
    spikes[i] = fires ? S(1) : S(0);
    v[i] = fires ? to : x;
    counter[i] = fires ? period : left;
  }
}

constexpr int kAsBool = 1, kUniform = 2;

// One compiled copy for each instruction set, chosen when the library first runs.
#define BRAINFN_STEP(name, attribute)                                                                        \
  template <typename T>                                                                                      \
  attribute void name(const Block<T>& b, int layers, const uint8_t* conductance, T dt, int flags) {          \
    switch (flags) {                                                                                         \
      case kAsBool | kUniform:                                                                               \
        return step_block_uniform<T, uint8_t>(b, conductance, dt);                                           \
      case kUniform:                                                                                         \
        return step_block_uniform<T, T>(b, conductance, dt);                                                 \
      case kAsBool:                                                                                          \
        return step_block<T, uint8_t>(b, layers, conductance, dt);                                           \
      default:                                                                                               \
        return step_block<T, T>(b, layers, conductance, dt);                                                 \
    }                                                                                                        \
  }

BRAINFN_STEP(step_generic, )
#if defined(__x86_64__) && defined(__GNUC__)
BRAINFN_STEP(step_avx2, __attribute__((target("avx2,fma"))))
BRAINFN_STEP(step_avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma"))))
#endif

template <typename T>
using Step = void (*)(const Block<T>&, int, const uint8_t*, T, int);

template <typename T>
Step<T> best_step() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) return step_avx512<T>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return step_avx2<T>;
#endif
  return step_generic<T>;
}

// A parameter: one number, or one for each neuron, each batch element, or each neuron of each batch element.
template <typename T>
struct Source {
  const T* data = nullptr;
  bool each = false, batched = false;

  void set(ffi::AnyBuffer x, int64_t code) {
    data = static_cast<const T*>(x.untyped_data());
    each = code & 1;
    batched = code & 2;
  }
  // Its values for the neurons of batch element `row`.
  const T* values(int64_t row, int64_t n) const { return data + (batched ? row * (each ? n : 1) : 0); }
};

constexpr int kMaxParameters = 6 + 3 * kMaxLayers;

template <typename T>
ffi::Error step_typed(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> kinds,
                      ffi::Span<const int64_t> codes, double dt) {
  const int layers = static_cast<int>(kinds.size());
  if (layers > kMaxLayers) return ffi::Error::InvalidArgument("lif: too many synaptic layers");
  auto output = [&](size_t i) { return *rets.get<ffi::AnyBuffer>(i); };
  auto input = [&](size_t i) { return *args.get<ffi::AnyBuffer>(i); };
  for (int i = 0; i < 2 + layers; ++i) {
    auto x = input(i);
    auto y = output(i);
    if (x.untyped_data() != y->untyped_data()) std::memcpy(y->untyped_data(), x.untyped_data(), x.size_bytes());
  }
  // The state has shape (n,) or (batch, n).
  const auto shape = output(0)->dimensions();
  const int64_t n = shape.back(), rows = shape.size() == 1 ? 1 : shape[0];
  T* v = static_cast<T*>(output(0)->untyped_data());
  int32_t* rest = static_cast<int32_t*>(output(1)->untyped_data());
  T* g[kMaxLayers];
  uint8_t conductance[kMaxLayers];
  for (int l = 0; l < layers; ++l) {
    g[l] = static_cast<T*>(output(2 + l)->untyped_data());
    conductance[l] = kinds[l] != 0;
  }
  auto fired = output(2 + layers);
  const bool as_bool = fired->element_type() == ffi::DataType::PRED;
  const size_t spike_size = as_bool ? 1 : sizeof(T);
  char* spikes = static_cast<char*>(fired->untyped_data());

  // In order: current, leak, gain, v_rest, v_threshold, v_reset, [steps,] decays, held, reversals.
  Source<T> source[kMaxParameters];
  Source<int32_t> steps;
  int count = 0;
  size_t next = 2 + layers, code = 0;
  for (; count < 6; ++count) source[count].set(input(next++), codes[code++]);
  steps.set(input(next++), codes[code++]);
  for (int l = 0; l < 2 * layers; ++l) source[count++].set(input(next++), codes[code++]);
  for (int l = 0; l < layers; ++l) {
    if (conductance[l]) source[count++].set(input(next++), codes[code++]);
  }
  bool uniform = layers == 2 && !steps.each;
  for (int i = 0; i < count; ++i) uniform &= !source[i].each;
  const int flags = (as_bool ? kAsBool : 0) | (uniform ? kUniform : 0);

  static const Step<T> run_block = best_step<T>();
  const int64_t per_row = (n + kBlock - 1) / kBlock, blocks = rows * per_row;
  int parts = static_cast<int>(std::min<int64_t>(max_threads(), rows * n / kNeuronsPerThread));
  parts = std::max(parts, 1);
  auto work = [&](int part) {
    // Values for a whole block: of parameters that are one number, and of the last block of a row, which is not full.
    alignas(64) T same[kMaxParameters][kBlock], padded[kMaxParameters][kBlock], state[1 + kMaxLayers][kBlock];
    alignas(64) T padded_spikes[kBlock];
    alignas(64) int32_t same_steps[kBlock], padded_steps[kBlock], padded_rest[kBlock];
    int64_t filled = -1;
    const int64_t first = blocks * part / parts, last = blocks * (part + 1) / parts;
    for (int64_t block = first; block < last; ++block) {
      const int64_t row = block / per_row, base = block % per_row * kBlock;
      const int m = static_cast<int>(std::min<int64_t>(kBlock, n - base));
      if (row != filled && !uniform) {
        for (int i = 0; i < count; ++i) {
          if (!source[i].each) std::fill_n(same[i], kBlock, *source[i].values(row, n));
        }
        if (!steps.each) std::fill_n(same_steps, kBlock, *steps.values(row, n));
        filled = row;
      }
      auto pick = [&](int i) -> const T* {
        const T* x = source[i].values(row, n);
        if (!source[i].each) return uniform ? x : same[i];
        if (m == kBlock) return x + base;
        std::copy(x + base, x + base + m, padded[i]);
        std::fill(padded[i] + m, padded[i] + kBlock, x[base]);
        return padded[i];
      };
      const int64_t at = row * n + base;
      Block<T> b;
      if (m == kBlock) {
        b.v = v + at;
        b.rest = rest + at;
        b.spikes = spikes + at * spike_size;
        for (int l = 0; l < layers; ++l) b.g[l] = g[l] + at;
      } else {
        auto take = [&](T* from, T* to) {
          std::copy(from, from + m, to);
          std::fill(to + m, to + kBlock, T(0));
          return to;
        };
        b.v = take(v + at, state[0]);
        for (int l = 0; l < layers; ++l) b.g[l] = take(g[l] + at, state[1 + l]);
        std::copy(rest + at, rest + at + m, padded_rest);
        std::fill(padded_rest + m, padded_rest + kBlock, 1);
        b.rest = padded_rest;
        b.spikes = padded_spikes;
      }
      const T** fixed[6] = {&b.current, &b.leak, &b.gain, &b.v_rest, &b.v_threshold, &b.v_reset};
      int i = 0;
      for (; i < 6; ++i) *fixed[i] = pick(i);
      for (int l = 0; l < layers; ++l) b.decay[l] = pick(i++);
      for (int l = 0; l < layers; ++l) b.held[l] = pick(i++);
      for (int l = 0; l < layers; ++l) {
        if (conductance[l]) b.reversal[l] = pick(i++);
      }
      const int32_t* period = steps.values(row, n);
      if (!steps.each) {
        b.steps = uniform ? period : same_steps;
      } else if (m == kBlock) {
        b.steps = period + base;
      } else {
        std::copy(period + base, period + base + m, padded_steps);
        std::fill(padded_steps + m, padded_steps + kBlock, 0);
        b.steps = padded_steps;
      }
      run_block(b, layers, conductance, T(dt), flags);
      if (m < kBlock) {
        std::copy(b.v, b.v + m, v + at);
        std::copy(b.rest, b.rest + m, rest + at);
        for (int l = 0; l < layers; ++l) std::copy(b.g[l], b.g[l] + m, g[l] + at);
        std::memcpy(spikes + at * spike_size, b.spikes, m * spike_size);
      }
    }
  };
  parallel(parts, work);
  return ffi::Error::Success();
}

ffi::Error step(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> kinds,
                ffi::Span<const int64_t> codes, double dt) {
  auto v = args.get<ffi::AnyBuffer>(0);
  if (v->element_type() == ffi::DataType::F32) return step_typed<float>(args, rets, kinds, codes, dt);
  if (v->element_type() == ffi::DataType::F64) return step_typed<double>(args, rets, kinds, codes, dt);
  return ffi::Error::InvalidArgument("lif: expected float32 or float64");
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(brainfn_lif, brainfn::step,
                              xla::ffi::Ffi::Bind()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<xla::ffi::Span<const int64_t>>("kinds")
                                  .Attr<xla::ffi::Span<const int64_t>>("codes")
                                  .Attr<double>("dt"));
