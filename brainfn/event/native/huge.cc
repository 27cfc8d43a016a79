#include "huge.h"

#if defined(__linux__)

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif

namespace brainfn {
namespace {

constexpr size_t kPage = size_t{1} << 21;
constexpr size_t kLarge = size_t{12} << 20;
constexpr int kSeen = 64;     // calls before it is worth the effort
constexpr int kEntries = 32;  // buffers that are remembered

struct Entry {
  std::atomic<const void*> data{nullptr};
  std::atomic<int> count{0};
};

Entry entries[kEntries];
std::atomic<unsigned> oldest{0};

void collapse(const void* data, size_t bytes) {
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  if (end <= begin) return;
  // One page at a time, so that no other thread waits long for the address space. Errors mean small pages, no more;
  // memory that has been freed meanwhile is left alone by the kernel.
  for (uintptr_t at = begin; at < end; at += kPage) {
    if (madvise(reinterpret_cast<void*>(at), kPage, MADV_COLLAPSE) != 0 && at == begin) return;
  }
}

bool wanted() {
  static const bool yes = [] {
    const char* text = std::getenv("BRAINFN_HUGE_PAGES");
    return text == nullptr || text[0] != '0';
  }();
  return yes;
}

}  // namespace

void read_often(const void* data, size_t bytes) {
  if (bytes < kLarge || !wanted()) return;
  for (Entry& e : entries) {
    if (e.data.load(std::memory_order_relaxed) != data) continue;
    if (e.count.fetch_add(1, std::memory_order_relaxed) + 1 == kSeen) {
      std::thread(collapse, data, bytes).detach();
    }
    return;
  }
  Entry& e = entries[oldest.fetch_add(1, std::memory_order_relaxed) % kEntries];
  e.count.store(0, std::memory_order_relaxed);
  e.data.store(data, std::memory_order_relaxed);
}

}  // namespace brainfn

#else

namespace brainfn {
void read_often(const void*, size_t) {}
}  // namespace brainfn

#endif
