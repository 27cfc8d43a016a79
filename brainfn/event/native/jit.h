// Just-in-time connectivity, one synapse at a time: the specification (docs/just_in_time.md) as functions for C++ and
// CUDA alike. Everything is 32-bit unsigned arithmetic, so every backend makes the same bits.
#pragma once

#include <cstdint>
#include <cstring>

// Static: the same functions are compiled for several instruction sets.
#if defined(__CUDACC__)
#define BRAINFN_HD static __host__ __device__ __forceinline__
#else
#define BRAINFN_HD static inline __attribute__((always_inline, unused))
#endif

namespace brainfn {
namespace jit {

enum Purpose : uint32_t { kCountWords = 0, kOrderWords = 1, kWeightWords = 2 };
enum Law : int { kHomogeneous = 0, kUniform = 1, kNormal = 2 };

constexpr int kRounds = 4;
constexpr float kUniformScale = 1.0f / (1 << 24);
constexpr float kNormalScale = 1.0f / (1 << 26);

struct Words {
  uint32_t w[4];
};

// Philox4x32-7 (Salmon et al. 2011).
BRAINFN_HD Words philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 7; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

BRAINFN_HD uint32_t half_turn(uint32_t x) { return x << 16 | x >> 16; }

// The constants of the permutation of a tile.
struct Order {
  uint32_t a[kRounds], b[kRounds];
};

BRAINFN_HD Order order_of(const Words& count, const Words& order) {
  return {{count.w[2] | 1u, order.w[0] | 1u, order.w[2] | 1u, half_turn(count.w[2]) | 1u},
          {count.w[3], order.w[1], order.w[3], half_turn(order.w[1])}};
}

// The j-th column of a tile of 2^bits columns.
BRAINFN_HD uint32_t permute(uint32_t x, const Order& o, int bits) {
  const uint32_t mask = (1u << bits) - 1u;
  for (int i = 0; i < kRounds; ++i) {
    x = (x * o.a[i] + o.b[i]) & mask;
    x ^= x >> ((bits + 1) / 2);
  }
  return x;
}

// The inverse of an odd number modulo 2^32: each step doubles the number of correct bits, 3 at first.
BRAINFN_HD uint32_t inverse(uint32_t a) {
  uint32_t x = a;
  for (int i = 0; i < 4; ++i) x *= 2u - a * x;
  return x;
}

// Which position a column has in the order of its tile: it is a synapse if that is below the number of synapses.
BRAINFN_HD uint32_t position_of(uint32_t x, const Order& o, int bits) {
  const uint32_t mask = (1u << bits) - 1u;
  for (int i = kRounds - 1; i >= 0; --i) {
    x ^= x >> ((bits + 1) / 2);  // an involution, since the shift is at least half of the bits
    x = ((x - o.b[i]) * inverse(o.a[i])) & mask;
  }
  return x;
}

// 32 bits for the synapse of a stream at `position` (numbered in the whole matrix).
BRAINFN_HD uint32_t weight_hash(uint32_t position, uint32_t k0, uint32_t k1) {
  uint32_t h = position ^ k0;
  h ^= h >> 16;
  h *= 0x7FEB352Du;
  h ^= h >> 15;
  h += k1;
  h *= 0x846CA68Bu;
  return h ^ h >> 16;
}

// The weight law's z as an integer: times kUniformScale in [0, 1), times kNormalScale standard normal.
BRAINFN_HD int32_t uniform_of(uint32_t h) { return static_cast<int32_t>(h >> 8); }

BRAINFN_HD int32_t normal_of(uint32_t h, const int32_t* quantiles) {
  const float v = static_cast<float>(static_cast<int32_t>((h & 0x7FFFFFFFu) | 1u));
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  const uint32_t segment = (bits >> 17) - 8128u;
  const int32_t high = quantiles[segment], low = quantiles[segment + 1];
  const int32_t z = high - static_cast<int32_t>(static_cast<uint32_t>(high - low) * (bits >> 6 & 0x7FFu) >> 11);
  return h >> 31 ? -z : z;
}

}  // namespace jit
}  // namespace brainfn
