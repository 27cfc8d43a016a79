// Weights as they are stored: numbers, or half precision that is converted when loaded and rounded when stored.
#pragma once

#if defined(__CUDACC__)

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "team.h"

namespace brainfn {

struct Float16 {
  __half value;
};

struct BFloat16 {
  __nv_bfloat16 value;
};

template <typename T>
BRAINFN_DEVICE T load(T x) {
  return x;
}
BRAINFN_DEVICE float load(Float16 x) { return __half2float(x.value); }
BRAINFN_DEVICE float load(BFloat16 x) { return __bfloat162float(x.value); }

template <typename T>
BRAINFN_DEVICE void store(T& to, T x) {
  to = x;
}
BRAINFN_DEVICE void store(Float16& to, float x) { to.value = __float2half_rn(x); }
BRAINFN_DEVICE void store(BFloat16& to, float x) { to.value = __float2bfloat16_rn(x); }

}  // namespace brainfn

#else

#include "../half.h"

#endif
