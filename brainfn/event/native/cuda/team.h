// A team of lanes: what a kernel is written in, so that the same source runs on a GPU and, for its proof, on a CPU.
//
// A team's code is uniform: its lanes run the same statements with the same values. What differs from lane to lane
// stands in functions of the lane, given to `each` and `ballot`. On a GPU a lane is a thread and these are
// calls, votes and shuffles; on a CPU (BRAINFN_EMULATE) they are loops over the lanes, in the order of the GPU's sums.
#pragma once

#include <cstdint>

#include "../batch.h"

#if defined(__CUDACC__)
#define BRAINFN_DEVICE __device__ __forceinline__
#define BRAINFN_UNROLL _Pragma("unroll 4")
#else
#define BRAINFN_DEVICE inline
#define BRAINFN_UNROLL
#endif

namespace brainfn {

// Threads of a block, and lanes of the widest team. Teams have 1, 2, 4, .. 32 lanes, or a whole block.
constexpr int kBlock = 256;
constexpr int kWarp = 32;

#if defined(__CUDACC__)

// A variable that each lane has for itself.
template <typename T>
struct PerLane {
  T value;
  BRAINFN_DEVICE T& operator[](int) { return value; }
};

class Team {
 public:
  __device__ explicit Team(int width) : width_(width), lane_(static_cast<int>(threadIdx.x) & (width - 1)) {}

  BRAINFN_DEVICE int width() const { return width_; }

  // Calls f(lane) for each lane.
  template <typename F>
  BRAINFN_DEVICE void each(F f) const {
    f(lane_);
  }

  // Calls f() once.
  template <typename F>
  BRAINFN_DEVICE void once(F f) const {
    if (lane_ == 0) f();
  }

  // Bit i says whether f(i); for teams of at most 32 lanes.
  template <typename F>
  BRAINFN_DEVICE uint32_t ballot(F f) const {
    if (width_ == 1) return f(0) ? 1u : 0u;
    return (__ballot_sync(members(), f(lane_)) & members()) >> first();
  }

  // The sum over the lanes, always in the same order.
  template <typename T>
  BRAINFN_DEVICE T sum(const PerLane<T>& x) const {
    T value = x.value;
    for (int offset = (width_ < kWarp ? width_ : kWarp) / 2; offset > 0; offset /= 2) {
      value += __shfl_xor_sync(members(), value, offset);
    }
    if (width_ > kWarp) {
      __shared__ T parts[kBlock / kWarp];
      __syncthreads();  // the parts of an earlier sum have been read
      if (lane_ % kWarp == 0) parts[lane_ / kWarp] = value;
      __syncthreads();
      value = parts[0];
      for (int i = 1; i < kBlock / kWarp; ++i) value += parts[i];
    }
    return value;
  }

  // What any lane has written is seen by all lanes.
  BRAINFN_DEVICE void sync() const {
    if (width_ > kWarp) {
      __syncthreads();
    } else {
      __syncwarp(members());
    }
  }

 private:
  BRAINFN_DEVICE int first() const { return static_cast<int>(threadIdx.x) % kWarp & ~(width_ - 1); }
  BRAINFN_DEVICE uint32_t members() const {
    return width_ >= kWarp ? 0xffffffffu : ((1u << width_) - 1u) << first();
  }

  int width_, lane_;
};

BRAINFN_DEVICE int first_bit(uint32_t bits) { return __ffs(static_cast<int>(bits)) - 1; }
BRAINFN_DEVICE int count_bits(uint32_t bits) { return __popc(bits); }

template <typename T>
BRAINFN_DEVICE void atomic_add(T* to, T value) {
  atomicAdd(to, value);
}

#else

// For the tests: bit 0 says that teams run in descending order, bit 1 that lanes do.
inline int& emulated_order() {
  static int order = 0;
  return order;
}

template <typename T>
struct PerLane {
  T value[kBlock];
  T& operator[](int lane) { return value[lane]; }
};

class Team {
 public:
  explicit Team(int width) : width_(width) {}

  int width() const { return width_; }

  template <typename F>
  void each(F f) const {
    const bool backwards = emulated_order() & 2;
    for (int lane = 0; lane < width_; ++lane) f(backwards ? width_ - 1 - lane : lane);
  }

  template <typename F>
  void once(F f) const {
    f();
  }

  template <typename F>
  uint32_t ballot(F f) const {
    uint32_t bits = 0;
    for (int lane = 0; lane < width_; ++lane) bits |= (f(lane) ? 1u : 0u) << lane;
    return bits;
  }

  template <typename T>
  T sum(const PerLane<T>& x) const {
    T value[kBlock];
    for (int lane = 0; lane < width_; ++lane) value[lane] = x.value[lane];
    const int warp = width_ < kWarp ? width_ : kWarp;
    for (int start = 0; start < width_; start += warp) {
      for (int offset = warp / 2; offset > 0; offset /= 2) {
        for (int i = start; i < start + offset; ++i) value[i] += value[i + offset];
      }
    }
    for (int start = warp; start < width_; start += warp) value[0] += value[start];
    return value[0];
  }

  void sync() const {}

 private:
  int width_;
};

inline int first_bit(uint32_t bits) { return __builtin_ctz(bits); }
inline int count_bits(uint32_t bits) { return __builtin_popcount(bits); }

template <typename T>
void atomic_add(T* to, T value) {
  *to += value;
}

#endif

}  // namespace brainfn
