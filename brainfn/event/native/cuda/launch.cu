// Starts the kernels. Compiled by nvcc for a GPU; with BRAINFN_EMULATE by any C++ compiler, for the tests: then a launch
// is a loop over the teams.

#include "kernels.h"
#include "task.h"
#include "team.h"

namespace brainfn {
namespace {

template <typename O, typename T>
BRAINFN_DEVICE void step(const Launch& launch, int64_t index, const Team& team) {
  int i = 0;
  while (i + 1 < launch.n_tasks && index >= launch.task[i + 1].first_team) ++i;
  O::template run<T>(launch.task[i], index - launch.task[i].first_team, team);
}

#if defined(BRAINFN_EMULATE)

template <typename O, typename T>
const char* start_typed(const Launch& launch, cudaStream_t) {
  const Team team(launch.width);
  const bool backwards = emulated_order() & 1;
  for (int64_t i = 0; i < launch.n_teams; ++i) step<O, T>(launch, backwards ? launch.n_teams - 1 - i : i, team);
  return nullptr;
}

#else

template <typename O, typename T>
__global__ void __launch_bounds__(kBlock) kernel(const __grid_constant__ Launch launch) {
  const Team team(launch.width);
  const int64_t in_block = kBlock / launch.width;
  const int64_t first = blockIdx.x * in_block + threadIdx.x / launch.width;
  for (int64_t i = first; i < launch.n_teams; i += gridDim.x * in_block) step<O, T>(launch, i, team);
}

__global__ void nothing() {}

const char* last_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template <typename O, typename T>
const char* start_typed(const Launch& launch, cudaStream_t stream) {
  constexpr int64_t kMaxBlocks = int64_t{1} << 22;
  const int64_t in_block = kBlock / launch.width;
  const int64_t blocks = (launch.n_teams + in_block - 1) / in_block;
  kernel<O, T><<<static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks), kBlock, 0, stream>>>(launch);
  return last_error();
}

#endif

template <typename O>
const char* start_op(bool wide_floats, const Launch& launch, cudaStream_t stream) {
  return wide_floats ? start_typed<O, double>(launch, stream) : start_typed<O, float>(launch, stream);
}

}  // namespace

const char* start(Op op, bool wide_floats, const Launch& launch, cudaStream_t stream) {
  switch (op) {
    case Op::kScatter:
      return start_op<Scatter>(wide_floats, launch, stream);
    case Op::kScatterOrdered:
      return start_op<ScatterOrdered>(wide_floats, launch, stream);
    case Op::kGather:
      return start_op<Gather>(wide_floats, launch, stream);
    case Op::kSddmm:
      return start_op<Sddmm>(wide_floats, launch, stream);
    case Op::kSddmmScalar:
      return start_op<SddmmScalar>(wide_floats, launch, stream);
    case Op::kSddmmScalarOrdered:
      return start_op<SddmmScalarOrdered>(wide_floats, launch, stream);
  }
  return "unknown operation";
}

#if defined(BRAINFN_EMULATE)

const char* start_nothing(cudaStream_t) { return nullptr; }

const char* copy(void* to, const void* from, size_t n, cudaStream_t) {
  __builtin_memcpy(to, from, n);
  return nullptr;
}

#else

const char* start_nothing(cudaStream_t stream) {
  nothing<<<1, 1, 0, stream>>>();
  return last_error();
}

const char* copy(void* to, const void* from, size_t n, cudaStream_t stream) {
  const cudaError_t error = cudaMemcpyAsync(to, from, n, cudaMemcpyDeviceToDevice, stream);
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

#endif

}  // namespace brainfn
