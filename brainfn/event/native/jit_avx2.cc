// Compiled with -mavx2 where the compiler knows it.
#if defined(__AVX2__)
#include "jit_loops.inc"

const brainfn::jit::Loops* brainfn::jit::loops_avx2() { return &kLoops; }
#else
#include "jit_loops.h"

const brainfn::jit::Loops* brainfn::jit::loops_avx2() { return nullptr; }
#endif
