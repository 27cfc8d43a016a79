// Large pages for connectivity that is read again and again at random places.
#pragma once

#include <cstddef>

namespace brainfn {

// Says that a kernel reads rows of [data, data + bytes) at random. Memory that is seen often and is larger than what
// the processor's page tables cover with small pages is moved to huge pages in the background (Linux only; its
// contents and address stay the same). Measured: 1.7x faster event products at 32 million synapses.
// BRAINFN_HUGE_PAGES=0 turns this off.
void read_often(const void* data, size_t bytes);

}  // namespace brainfn
