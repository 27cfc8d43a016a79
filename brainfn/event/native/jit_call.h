// The three contractions for just-in-time blocks. They share no work with other kinds of blocks and bring their own
// threads, so a call does them first.
#pragma once

#include "call.h"
#include "structure.h"

namespace brainfn {

void scatter_jit(const Call& call, const Block& b);
void gather_jit(const Call& call, const Block& b);
void sddmm_jit(const Call& call, const Block& b);

// Does the just-in-time blocks of a call; returns how many others there are.
inline int64_t without_jit(const Call& call, void (*contract)(const Call&, const Block&)) {
  int64_t others = 0;
  for (int64_t i = 0; i < call.n_blocks(); ++i) {
    const Block& b = call.block(i);
    b.kind == kJit ? contract(call, b) : static_cast<void>(++others);
  }
  return others;
}

}  // namespace brainfn
