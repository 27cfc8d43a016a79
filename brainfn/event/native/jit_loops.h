// The two loops over streams of a just-in-time matrix, compiled once for each instruction set (jit_loops.inc).
#pragma once

#include <cstdint>

namespace brainfn {
namespace jit {

constexpr int kMaxThresholds = 1024;
constexpr int kLanes = 8;

// Everything that says which synapses a block has. A stream is a row (or a column) of the matrix, positions count along
// it; `first_*` are the block's place in the whole matrix.
struct Plan {
  uint32_t seed[2];
  int bits;       // a tile has 2^bits positions
  bool fixed;     // exact number of synapses in each stream, else a binomial number in each tile
  int law;        // of the weights
  bool exclude;   // no synapse where position = stream + diagonal
  int64_t diagonal;
  uint32_t fan_out, extent;  // where fixed: how many, among how many positions
  int64_t first_stream, first_position, n_streams, n_positions;
  const int32_t* quantiles;
  int n_thresholds;
  uint64_t threshold[kMaxThresholds];
  uint16_t guide[257];

  int64_t first_tile() const { return fixed ? 0 : first_position >> bits; }
  int64_t n_tiles() const {
    return fixed || n_positions == 0 ? n_positions > 0
                                     : ((first_position + n_positions - 1) >> bits) - (first_position >> bits) + 1;
  }
};

// What an active stream adds: y[offset + position] += c0 + c1 z.
template <typename T>
struct Entry {
  int64_t offset;
  T c0, c1;
};

// Streams that write: stream i has the entries start[i] .. start[i + 1] (or entry i where start is null).
template <typename T>
struct Push {
  const Plan* plan;
  const int32_t* streams;
  int64_t n;
  const int64_t* start;
  const Entry<T>* entries;
  T* y;
  bool same;  // every stream has one entry and all are equal
};

// Streams that read: sums[(e * width + k) * stride() + i] = sum of v[e] (1, z)_k over the synapses of stream i; width is
// 1 where weights are all the same, else 2. Stream i is streams[i], or first + i where that is null.
template <typename T>
struct Pull {
  const Plan* plan;
  const int32_t* streams;
  int64_t first, n;
  const T* const* v;
  int64_t n_elements;
  T* sums;

  int64_t stride() const { return (n + kLanes - 1) / kLanes * kLanes; }
};

struct Loops {
  // Tiles [from, to); where fixed, positions [from, to) of the single tile.
  void (*push32)(const Push<float>&, int64_t from, int64_t to);
  void (*push64)(const Push<double>&, int64_t from, int64_t to);
  void (*pull32)(const Pull<float>&);
  void (*pull64)(const Pull<double>&);
  // The positions of one stream in the order of the specification, and z; returns their number. Null only counts.
  int64_t (*list)(const Plan&, int64_t stream, int32_t* positions, int32_t* z);
};

const Loops& loops_generic();
const Loops* loops_avx2();  // null where the compiler could not make it

}  // namespace jit
}  // namespace brainfn
