// Calls a compiled function (Numba's, see _numba.py) that takes addresses of buffers and their shapes. The compiled
// program holds an id, not the address: XLA may store the program on disk, and the next process has the function
// elsewhere.

#include <cstdint>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace brainfn {
namespace {

namespace ffi = xla::ffi;

// Buffers of the operands and then of the outputs; their dimensions one after the other.
using Function = void (*)(void** buffers, const int64_t* dimensions);

std::shared_mutex mutex;
std::unordered_map<int64_t, Function> functions;

// `aliases` holds for each output the operand that it starts from, or -1.
ffi::Error call(ffi::RemainingArgs args, ffi::RemainingRets rets, int64_t id, ffi::Span<const int64_t> aliases) {
  Function function = nullptr;
  {
    std::shared_lock lock(mutex);
    auto found = functions.find(id);
    if (found != functions.end()) function = found->second;
  }
  if (function == nullptr) {
    return ffi::Error::Internal("brainfn_call: no function is registered under id " + std::to_string(id));
  }
  std::vector<void*> buffers;
  std::vector<int64_t> dimensions;
  auto add = [&](const ffi::AnyBuffer& x) {
    buffers.push_back(x.untyped_data());
    dimensions.insert(dimensions.end(), x.dimensions().begin(), x.dimensions().end());
  };
  for (size_t i = 0; i < args.size(); ++i) add(*args.get<ffi::AnyBuffer>(i));
  for (size_t i = 0; i < rets.size(); ++i) {
    auto y = *rets.get<ffi::AnyBuffer>(i);
    add(*y);
    if (aliases[i] >= 0) {
      void* x = buffers[aliases[i]];
      if (x != y->untyped_data()) std::memcpy(y->untyped_data(), x, y->size_bytes());
    }
  }
  function(buffers.data(), dimensions.data());
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(brainfn_call, brainfn::call,
                              xla::ffi::Ffi::Bind()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<int64_t>("id")
                                  .Attr<xla::ffi::Span<const int64_t>>("aliases"));

extern "C" void brainfn_register_function(int64_t id, void* function) {
  std::unique_lock lock(brainfn::mutex);
  brainfn::functions[id] = reinterpret_cast<brainfn::Function>(function);
}
