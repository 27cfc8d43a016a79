// What a launch is told, as plain data: the blocks of a call, and how their work is shared out among teams.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../batch.h"

#if defined(BRAINFN_EMULATE)
using cudaStream_t = void*;
#else
#include <cuda_runtime_api.h>
#endif

namespace brainfn {

// One operand: its data and how many elements follow its batch dimensions.
struct Array {
  char* data;
  int64_t core;
};

// What a just-in-time block is made from, see _jit.py. Streams are rows or columns, positions the others.
struct Pattern {
  const uint32_t* seed;
  const int32_t* origin;
  const uint32_t* table;
  const int32_t* quantiles;
  int32_t n_thresholds, law, bits, tile_lanes;
  uint32_t diagonal, fan_out, extent;
  bool fixed, columns, exclude;
};

// What an update changes weights by: change and factor for each column, and bounds.
struct Rule {
  Array change, factor, lower, upper;
};

// One block. Arrays, like the strides of the walk, are in the order of roles: rows, columns, weights, needs.
struct Task {
  int64_t n_rows, n_cols, row_offset, col_offset;
  // Row i holds the elements [indptr[i], indptr[i + 1]), or `fan_out` of them; their columns are `indices`, or
  // consecutive from 0 (dense) or from the row itself (one to one).
  const int32_t* indices;
  const void* indptr;
  const void* order;   // the position of the weight of each element, as wide as indptr
  const void* delays;  // how many slots of a ring buffer from `now` each element acts, as bytes or pairs of them
  const int32_t* now;
  int64_t fan_out, ring_length, ring_width;
  bool wide, diagonal, columns_first, wide_delays;
  bool bool_rows, scalar_weights;
  Array array[4];
  // The dimensions that the accumulator lacks are the last, so that each of its batch elements takes `shared`
  // consecutive elements of the walk.
  BatchWalk walk;
  int64_t shared;
  // The division of labour.
  int64_t first_team, n_teams;
  int64_t rows_per_team, segments;
  union {
    Pattern pattern;
    Rule rule;
  };
};

enum class Op {
  kScatter,
  kScatterOrdered,
  kGather,
  kSddmm,
  kSddmmScalar,
  kSddmmScalarOrdered,
  kUpdate,
  kPush,
  kPushOrdered,
  kPull,
  kDot,
  kDotOrdered,
};

// Dtypes of a launch: of the sums, and of the weights.
enum class Numbers { kF32, kF64, kF32WithF16, kF32WithBF16 };

// Parameters of a kernel; CUDA allows 4096 bytes of them.
constexpr int kMaxTasks = 6;

struct Launch {
  int n_tasks = 0;
  int width = 1;
  int64_t n_teams = 0;
  Task task[kMaxTasks];
};

static_assert(sizeof(Launch) <= 4096);

// Starts a kernel on the stream; returns an error's words, or null.
const char* start(Op op, Numbers numbers, const Launch& launch, cudaStream_t stream);

// Starts a kernel that does nothing: older XLA takes a call that launches nothing for an error when it captures it.
const char* start_nothing(cudaStream_t stream);

const char* copy(void* to, const void* from, size_t n, cudaStream_t stream);

}  // namespace brainfn
