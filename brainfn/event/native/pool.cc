#include "pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace brainfn {
namespace {

inline void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Workers spin this long after a job before they sleep: long enough for the next operator call of a small network's
// step, short enough to leave the core to others.
constexpr auto kSpin = std::chrono::microseconds(40);

class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) std::thread([this] { work(); }).detach();
  }

  // With `together` every part has a thread of its own, so parts may wait for each other.
  bool run(int parts, void (*fn)(void*, int), void* context, bool together = false) {
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    fn_ = fn;
    context_ = context;
    done_.store(0, std::memory_order_relaxed);
    uint64_t generation = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
    ticket_.store(generation << 32 | static_cast<uint64_t>(parts) << 16);
    if (sleepers_.load() > 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      wake_.notify_all();
    }
    claim(together ? 1 : parts);
    while (done_.load(std::memory_order_acquire) != parts) pause_briefly();
    busy_.store(false, std::memory_order_release);
    return true;
  }

 private:
  // Takes parts of the current job until none is left, or `most` of them. A part that was taken keeps the job alive until it is done, so
  // fn_ and context_ are read after a successful claim only.
  void claim(int most) {
    uint64_t t = ticket_.load(std::memory_order_acquire);
    while (most > 0 && (t & 0xffff) < (t >> 16 & 0xffff)) {
      if (!ticket_.compare_exchange_weak(t, t + 1, std::memory_order_acq_rel)) continue;
      --most;
      fn_(context_, static_cast<int>(t & 0xffff));
      done_.fetch_add(1, std::memory_order_acq_rel);
      t = ticket_.load(std::memory_order_acquire);
    }
  }

  bool has_work() const {
    uint64_t t = ticket_.load(std::memory_order_acquire);
    return (t & 0xffff) < (t >> 16 & 0xffff);
  }

  void work() {
    for (;;) {
      auto until = std::chrono::steady_clock::now() + kSpin;
      for (int i = 0; !has_work(); ++i) {
        pause_briefly();
        if ((i & 63) == 63 && std::chrono::steady_clock::now() > until) {
          std::unique_lock<std::mutex> lock(mutex_);
          sleepers_.fetch_add(1);
          wake_.wait(lock, [this] { return has_work(); });
          sleepers_.fetch_sub(1);
        }
      }
      claim(1 << 16);
    }
  }

  alignas(64) std::atomic<uint64_t> ticket_{0};  // generation, number of parts, next part
  alignas(64) std::atomic<int> done_{0};
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<int> sleepers_{0};
  void (*fn_)(void*, int) = nullptr;
  void* context_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
};

std::atomic<Pool*> the_pool{nullptr};
std::once_flag pool_once;

// The workers do not exist in a forked child: give up the pool there and stay serial.
std::atomic<bool> forked{false};

}  // namespace

int max_threads() {
  static const int n = [] {
    int cores = static_cast<int>(std::thread::hardware_concurrency());
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
#endif
    if (const char* text = std::getenv("BRAINFN_NUM_THREADS")) {
      int asked = std::atoi(text);
      if (asked > 0) cores = std::min(cores, asked);
    }
    return std::clamp(cores, 1, 64);
  }();
  return n;
}

namespace {

// The pool, or null where there is none: with one thread, and in a forked child.
Pool* pool() {
  if (max_threads() <= 1 || forked.load(std::memory_order_relaxed)) return nullptr;
  std::call_once(pool_once, [] {
    the_pool.store(new Pool(max_threads() - 1));  // never destroyed: its threads may outlive main
    pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
  });
  return the_pool.load(std::memory_order_acquire);
}

}  // namespace

void run_parts(int parts, void (*fn)(void*, int), void* context) {
  Pool* threads = pool();
  if (threads != nullptr && threads->run(parts, fn, context)) return;
  for (int part = 0; part < parts; ++part) fn(context, part);
}

bool run_together(int parts, void (*fn)(void*, int), void* context) {
  Pool* threads = pool();
  return threads != nullptr && parts <= max_threads() && threads->run(parts, fn, context, true);
}

}  // namespace brainfn
