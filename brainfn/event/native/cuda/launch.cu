// Starts the kernels. Compiled by nvcc for a GPU; with BRAINFN_EMULATE by any C++ compiler, for the tests: then a launch
// is a loop over the teams.

#include "jit_kernels.h"
#include "kernels.h"

namespace brainfn {
namespace {

template <typename O>
BRAINFN_DEVICE void step(const Launch& launch, int64_t index, const Team& team) {
  int i = 0;
  while (i + 1 < launch.n_tasks && index >= launch.task[i + 1].first_team) ++i;
  O::run(launch.task[i], index - launch.task[i].first_team, team);
}

#if defined(BRAINFN_EMULATE)

template <typename O>
const char* start_one(const Launch& launch, cudaStream_t) {
  const Team team(launch.width);
  const bool backwards = emulated_order() & 1;
  for (int64_t i = 0; i < launch.n_teams; ++i) step<O>(launch, backwards ? launch.n_teams - 1 - i : i, team);
  return nullptr;
}

#else

template <typename O>
__global__ void __launch_bounds__(kBlock) kernel(const __grid_constant__ Launch launch) {
  const Team team(launch.width);
  const int64_t in_block = kBlock / launch.width;
  const int64_t first = blockIdx.x * in_block + threadIdx.x / launch.width;
  for (int64_t i = first; i < launch.n_teams; i += gridDim.x * in_block) step<O>(launch, i, team);
}

__global__ void nothing() {}

const char* last_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

template <typename O>
const char* start_one(const Launch& launch, cudaStream_t stream) {
  constexpr int64_t kMaxBlocks = int64_t{1} << 22;
  const int64_t in_block = kBlock / launch.width;
  const int64_t blocks = (launch.n_teams + in_block - 1) / in_block;
  kernel<O><<<static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks), kBlock, 0, stream>>>(launch);
  return last_error();
}

#endif

template <template <typename, typename> class O>
const char* start_any(Numbers numbers, const Launch& launch, cudaStream_t stream) {
  switch (numbers) {
    case Numbers::kF32:
      return start_one<O<float, float>>(launch, stream);
    case Numbers::kF64:
      return start_one<O<double, double>>(launch, stream);
    case Numbers::kF32WithF16:
      return start_one<O<float, Float16>>(launch, stream);
    case Numbers::kF32WithBF16:
      return start_one<O<float, BFloat16>>(launch, stream);
  }
  return "unknown dtype";
}

// Where weights are no half precision.
template <template <typename, typename> class O>
const char* start_full(Numbers numbers, const Launch& launch, cudaStream_t stream) {
  if (numbers == Numbers::kF32) return start_one<O<float, float>>(launch, stream);
  if (numbers == Numbers::kF64) return start_one<O<double, double>>(launch, stream);
  return "no kernel for half precision";
}

}  // namespace

const char* start(Op op, Numbers numbers, const Launch& launch, cudaStream_t stream) {
  switch (op) {
    case Op::kScatter:
      return start_any<Scatter>(numbers, launch, stream);
    case Op::kScatterOrdered:
      return start_any<ScatterOrdered>(numbers, launch, stream);
    case Op::kGather:
      return start_any<Gather>(numbers, launch, stream);
    case Op::kSddmm:
      return start_any<Sddmm>(numbers, launch, stream);
    case Op::kSddmmScalar:
      return start_full<SddmmScalar>(numbers, launch, stream);
    case Op::kSddmmScalarOrdered:
      return start_any<SddmmScalarOrdered>(numbers, launch, stream);
    case Op::kUpdate:
      return start_any<Update>(numbers, launch, stream);
    case Op::kPush:
      return start_full<Push>(numbers, launch, stream);
    case Op::kPushOrdered:
      return start_full<PushOrdered>(numbers, launch, stream);
    case Op::kPull:
      return start_full<Pull>(numbers, launch, stream);
    case Op::kDot:
      return start_full<Dot>(numbers, launch, stream);
    case Op::kDotOrdered:
      return start_full<DotOrdered>(numbers, launch, stream);
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
