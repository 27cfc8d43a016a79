#include "jit_loops.inc"

const brainfn::jit::Loops& brainfn::jit::loops_generic() { return kLoops; }
