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

// One block. Arrays, like the strides of the walk, are in the order of roles: rows, columns, weights, needs.
struct Task {
  int64_t n_rows, n_cols, row_offset, col_offset;
  // Row i holds the elements [indptr[i], indptr[i + 1]), or `fan_out` of them; their columns are `indices`, or
  // consecutive from 0 (dense) or from the row itself (one to one).
  const int32_t* indices;
  const void* indptr;
  int64_t fan_out;
  bool wide, diagonal;
  bool bool_rows, scalar_weights;
  Array array[4];
  // The dimensions that the accumulator lacks are the last, so that each of its batch elements takes `shared`
  // consecutive elements of the walk.
  BatchWalk walk;
  int64_t shared;
  // The division of labour.
  int64_t first_team, n_teams;
  int64_t rows_per_team, segments;
};

enum class Op { kScatter, kScatterOrdered, kGather, kSddmm, kSddmmScalar, kSddmmScalarOrdered };

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
const char* start(Op op, bool wide_floats, const Launch& launch, cudaStream_t stream);

// Starts a kernel that does nothing: older XLA takes a call that launches nothing for an error when it captures it.
const char* start_nothing(cudaStream_t stream);

const char* copy(void* to, const void* from, size_t n, cudaStream_t stream);

}  // namespace brainfn
