// A slot of ring buffers (..., length, width), in place: taken out and cleared, or put in. XLA's own update of a slot
// copies the whole ring where its result goes into a custom call.

#include <cstdint>
#include <cstring>

#include "xla/ffi/api/ffi.h"

namespace brainfn {
namespace {

namespace ffi = xla::ffi;

// Calls f(slot, element) with the address of the present slot of each ring and with its number.
template <typename F>
void each_slot(ffi::AnyBuffer ring, char* data, ffi::AnyBuffer now, int64_t slot_bytes, F f) {
  const auto dims = ring.dimensions();
  const int64_t length = dims[dims.size() - 2];
  if (slot_bytes == 0 || length == 0) return;
  const int64_t rings = static_cast<int64_t>(ring.size_bytes()) / (length * slot_bytes);
  const int64_t step = *static_cast<const int32_t*>(now.untyped_data());
  const int64_t slot = (step % length + length) % length;
  for (int64_t i = 0; i < rings; ++i) f(data + (i * length + slot) * slot_bytes, i);
}

char* in_place(ffi::AnyBuffer ring, ffi::Result<ffi::AnyBuffer> out) {
  if (ring.untyped_data() != out->untyped_data()) {
    std::memcpy(out->untyped_data(), ring.untyped_data(), ring.size_bytes());
  }
  return static_cast<char*>(out->untyped_data());
}

int64_t slot_bytes(ffi::AnyBuffer ring) {
  const auto dims = ring.dimensions();
  int64_t slots = 1;
  for (size_t d = 0; d + 1 < dims.size(); ++d) slots *= dims[d];
  return slots == 0 ? 0 : static_cast<int64_t>(ring.size_bytes()) / slots;
}

ffi::Error take(ffi::AnyBuffer ring, ffi::AnyBuffer now, ffi::Result<ffi::AnyBuffer> value,
                ffi::Result<ffi::AnyBuffer> out) {
  const int64_t bytes = slot_bytes(ring);
  auto* values = static_cast<char*>(value->untyped_data());
  each_slot(ring, in_place(ring, out), now, bytes, [&](char* slot, int64_t i) {
    std::memcpy(values + i * bytes, slot, bytes);
    std::memset(slot, 0, bytes);
  });
  return ffi::Error::Success();
}

ffi::Error put(ffi::AnyBuffer value, ffi::AnyBuffer ring, ffi::AnyBuffer now, ffi::Result<ffi::AnyBuffer> out) {
  const int64_t bytes = slot_bytes(ring);
  const auto* values = static_cast<const char*>(value.untyped_data());
  each_slot(ring, in_place(ring, out), now, bytes,
            [&](char* slot, int64_t i) { std::memcpy(slot, values + i * bytes, bytes); });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace brainfn

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_take_slot, brainfn::take,
    xla::ffi::Ffi::Bind().Arg<xla::ffi::AnyBuffer>().Arg<xla::ffi::AnyBuffer>().Ret<xla::ffi::AnyBuffer>().Ret<
        xla::ffi::AnyBuffer>());

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    brainfn_put_slot, brainfn::put,
    xla::ffi::Ffi::Bind().Arg<xla::ffi::AnyBuffer>().Arg<xla::ffi::AnyBuffer>().Arg<xla::ffi::AnyBuffer>().Ret<
        xla::ffi::AnyBuffer>());
