// The COBA network with a constant drive as one hand-fused loop on one thread: the floor that any
// simulator is measured against.
//
//   g++ -std=c++17 -O3 -march=native -ffast-math -o coba_fused coba_fused.cc
//   ./coba_fused N DURATION_MS SEED
//
// Prints one line of JSON. Equations, constants and order of events are those of
// tests/oracle/vogels_abbott.py, variant "coba-drive", with 80 synapses per neuron at every size:
// leaky integrate-and-fire with exponential conductances, exponential Euler at 0.1 ms, float32,
// one-step delay, refractory for 50 whole steps after the step of the spike, Bernoulli
// connectivity with autapses in CSR with int32 indices and one weight per population.
//
// Within step n: the conductances already hold the spikes of step n-1; v integrates with them;
// conductances decay; threshold and reset; the new spikes are added to the conductances.

#include <sys/mman.h>
#include <time.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

// Units: ms, mV; conductances in units of the leak conductance.
constexpr float kDt = 0.1f, kTau = 20.0f, kRest = -60.0f, kThreshold = -50.0f, kReset = -60.0f;
constexpr float kDrive = 20.0f, kReversalExc = 0.0f, kReversalInh = -80.0f;
constexpr float kWeightExc = 0.6f, kWeightInh = 6.7f, kTauExc = 5.0f, kTauInh = 10.0f;
constexpr int kRefractory = 50, kFanOut = 80;

// Neurons handled together: the flags of a block stay in the L1 cache, and a block without a spike
// (about one in two) costs one comparison.
constexpr int kBlock = 256;

template <typename T>
T* Allocate(size_t count) {
  const size_t huge = size_t{1} << 21;
  const size_t align = count * sizeof(T) >= huge ? huge : 64;
  const size_t bytes = (count * sizeof(T) + align - 1) / align * align;
  void* p = std::aligned_alloc(align, bytes);
  if (p == nullptr) throw std::bad_alloc();
  if (align == huge) madvise(p, bytes, MADV_HUGEPAGE);  // Fewer TLB misses on random access.
  return static_cast<T*>(p);
}

// SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195).
struct Random {
  uint64_t state;
  uint64_t Bits() {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double Uniform() { return (double(Bits() >> 11) + 0.5) * 0x1p-53; }  // In (0, 1).
  double Normal() {
    return std::sqrt(-2.0 * std::log(Uniform())) * std::cos(6.283185307179586 * Uniform());
  }
};

struct Network {
  int n, n_exc;
  int64_t* indptr;
  int32_t* indices;
};

// Bernoulli(p) for every pair by geometric skips along the rows.
Network Connect(int n, Random& random) {
  const double p = double(kFanOut) / n;
  const double scale = 1.0 / std::log1p(-p);
  const double mean = double(kFanOut) * n;
  const size_t capacity = size_t(mean + 10.0 * std::sqrt(mean) + 64);
  Network net{n, n * 4 / 5, Allocate<int64_t>(n + 1), Allocate<int32_t>(capacity)};
  size_t count = 0;
  net.indptr[0] = 0;
  for (int i = 0; i < n; ++i) {
    for (double j = std::floor(std::log(random.Uniform()) * scale); j < n;
         j += 1.0 + std::floor(std::log(random.Uniform()) * scale)) {
      if (count == capacity) throw std::bad_alloc();  // Ten standard deviations away.
      net.indices[count++] = int32_t(j);
    }
    net.indptr[i + 1] = int64_t(count);
  }
  return net;
}

// exp for z in [-87, 0], relative error below 3e-7: 2^k * 2^f with |f| <= 1/2, where 2^f is its
// Taylor series, so that the compiler vectorises the loop around it.
inline float Exp(float z) {
  const float t = z * 1.44269504f;
  const float rounded = std::nearbyint(t);
  const float f = (t - rounded) * 0.693147181f;
  float y = 1.0f / 720.0f;
  y = y * f + 1.0f / 120.0f;
  y = y * f + 1.0f / 24.0f;
  y = y * f + 1.0f / 6.0f;
  y = y * f + 0.5f;
  y = y * f + 1.0f;
  y = y * f + 1.0f;
  const int32_t bits = (int32_t(rounded) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return y * power;
}

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Processor time of this thread: what the wall clock would show on an idle machine.
double ProcessorSeconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

// Peak resident memory in MB: unlike getrusage, without that of the process that started this one.
double PeakMegabytes() {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0.0;
  char line[256];
  long kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "VmHWM: %ld", &kilobytes) == 1) break;
  }
  std::fclose(file);
  return double(kilobytes) / 1024.0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s N DURATION_MS SEED\n", argv[0]);
    return 2;
  }
  const int n = std::atoi(argv[1]);
  const int steps = int(std::lround(std::atof(argv[2]) / double(kDt)));
  Random random{uint64_t(std::atoll(argv[3]))};
  if (n < 100 || steps < 1) {
    std::fprintf(stderr, "need N >= 100 and DURATION_MS >= 0.1\n");
    return 2;
  }

  const double t0 = Seconds();
  const Network net = Connect(n, random);
  const int padded = (n + kBlock - 1) / kBlock * kBlock;
  float* __restrict v = Allocate<float>(padded);
  float* __restrict g_exc = Allocate<float>(padded);
  float* __restrict g_inh = Allocate<float>(padded);
  int32_t* __restrict active_from = Allocate<int32_t>(padded);  // First step that integrates.
  int32_t* __restrict spikes = Allocate<int32_t>(padded);
  for (int i = 0; i < padded; ++i) {
    v[i] = float(-55.0 + 2.0 * random.Normal());
    g_exc[i] = g_inh[i] = 0.0f;
    active_from[i] = i < n ? 0 : INT32_MAX;  // The padding never integrates, so never spikes.
    if (i >= n) v[i] = kReset;
  }
  const double t1 = Seconds(), cpu1 = ProcessorSeconds();

  const float decay_exc = std::exp(-kDt / kTauExc), decay_inh = std::exp(-kDt / kTauInh);
  int64_t total_spikes = 0, total_events = 0;
  for (int step = 0; step < steps; ++step) {
    int count = 0;
    for (int base = 0; base < padded; base += kBlock) {
      alignas(64) int32_t fired[kBlock];
      int32_t any = 0;
      for (int k = 0; k < kBlock; ++k) {
        const int i = base + k;
        const float ge = g_exc[i], gi = g_inh[i], u = v[i];
        const float total = 1.0f + ge + gi;
        const float drive = kRest + kDrive + ge * kReversalExc + gi * kReversalInh;
        const float v_infinity = drive / total;
        float next = v_infinity + (u - v_infinity) * Exp(total * (-kDt / kTau));
        next = step >= active_from[i] ? next : u;
        g_exc[i] = ge * decay_exc;
        g_inh[i] = gi * decay_inh;
        v[i] = next;
        fired[k] = next >= kThreshold;
        any |= fired[k];
      }
      if (any) {
        for (int k = 0; k < kBlock; ++k) {
          spikes[count] = base + k;
          count += fired[k];
        }
      }
    }
    for (int s = 0; s < count; ++s) {
      const int i = spikes[s];
      v[i] = kReset;
      active_from[i] = step + 1 + kRefractory;
      if (s + 4 < count) {  // Rows of spiking neurons are far apart: fetch them ahead of use.
        const char* row = reinterpret_cast<const char*>(net.indices + net.indptr[spikes[s + 4]]);
        for (int line = 0; line < 6; ++line) __builtin_prefetch(row + 64 * line);
      }
      float* __restrict g = i < net.n_exc ? g_exc : g_inh;
      const float weight = i < net.n_exc ? kWeightExc : kWeightInh;
      const int64_t end = net.indptr[i + 1];
      for (int64_t j = net.indptr[i]; j < end; ++j) g[net.indices[j]] += weight;
      total_events += end - net.indptr[i];
    }
    total_spikes += count;
  }
  const double t2 = Seconds(), cpu2 = ProcessorSeconds();

  const double seconds = double(steps) * double(kDt) * 1e-3;
  std::printf(
      "{\"simulator\": \"fused\", \"version\": \"%s\", \"mode\": \"C++ -O3 -march=native -ffast-math\", "
      "\"n\": %d, \"threads\": 1, \"dtype\": \"float32\", \"build_s\": %.4f, \"compile_s\": 0.0, "
      "\"run_s\": %.5f, \"run_cpu_s\": %.5f, \"us_per_step\": %.4f, \"rate_hz\": %.4f, \"synapses\": %lld, "
      "\"synaptic_events\": %lld, \"peak_rss_mb\": %.1f}\n",
      __VERSION__, n, t1 - t0, t2 - t1, cpu2 - cpu1, (t2 - t1) / steps * 1e6, total_spikes / (n * seconds),
      static_cast<long long>(net.indptr[n]), static_cast<long long>(total_events),
      PeakMegabytes());
  return 0;
}
