// How a block of a contraction walks over the batch elements of its arrays; plain data, for host and device.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define BRAINFN_BOTH __host__ __device__ __forceinline__
#else
#define BRAINFN_BOTH inline
#endif

namespace brainfn {

constexpr int kMaxBatch = 8;

// Walks over the batch elements that a block's operands have between them.
struct BatchWalk {
  int n = 0;
  int64_t count = 1;
  int64_t size[kMaxBatch];
  int64_t stride[4][kMaxBatch];  // in batch elements of rows, columns, weights, needs

  // The position of batch element `flat` within operand `r`, counted in core blocks of that operand.
  BRAINFN_BOTH int64_t at(int r, int64_t flat) const {
    int64_t out = 0;
    for (int i = n - 1; i >= 0; --i) {
      out += stride[r][i] * (flat % size[i]);
      flat /= size[i];
    }
    return out;
  }
};

}  // namespace brainfn
