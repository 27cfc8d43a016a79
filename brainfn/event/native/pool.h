// A small pool of spinning workers. The caller works too and takes over parts that no worker has begun, so a call
// never waits for a sleeping worker; where the pool is busy (another device) the caller does all parts itself.
#pragma once

#include <cstdint>

namespace brainfn {

// How many threads a kernel may use (BRAINFN_NUM_THREADS, else the number of cores this process may use).
int max_threads();

// Calls fn(context, part) for part = 0 .. parts - 1, in any order and on any thread. Parts must be independent.
void run_parts(int parts, void (*fn)(void*, int), void* context);

// The same for parts that wait for each other: each gets a thread of its own. False, and nothing is done, where that is
// not possible.
bool run_together(int parts, void (*fn)(void*, int), void* context);

template <typename F>
void parallel(int parts, F& f) {
  if (parts <= 1) {
    f(0);
    return;
  }
  run_parts(parts, [](void* context, int part) { (*static_cast<F*>(context))(part); }, &f);
}

}  // namespace brainfn
