// A call of one of the three contractions, decoded from the FFI frame: see BlockSpec and Spec in _bilinear.py.
#pragma once

#include <cstdint>
#include <cstring>

#include "batch.h"
#include "xla/ffi/api/ffi.h"

namespace brainfn {

namespace ffi = xla::ffi;

enum Role : int { kRows = 0, kCols = 1, kWeights = 2, kNeeds = 3, kStructure = 4 };

// One operand: its data, which batch dimensions it has, and the size of what follows them (-1: a scalar).
struct Operand {
  char* data;
  ffi::DataType dtype;
  int64_t mask;
  int64_t core;
  int64_t core_size() const { return core < 0 ? 1 : core; }
};

struct Block {
  int64_t kind, n_rows, n_cols;
  int64_t array[3];
  int64_t row_offset, col_offset;
  int64_t structure[4];
  int64_t need;
  int64_t extra[4];
};

class Call {
 public:
  Call(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta, int role)
      : Call(args, rets, meta, role, [](void* to, const void* from, size_t n) { std::memcpy(to, from, n); }) {}

  template <typename Copy>
  Call(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta, int role, Copy copy)
      : args_(args), rets_(rets), meta_(meta.begin()) {
    n_batch_ = meta_[0];
    batch_ = meta_ + 1;
    const int64_t* p = meta_ + 1 + n_batch_;
    int64_t start = 0;
    for (int r = 0; r < 5; ++r) {
      n_[r] = p[r];
      start_[r] = start;
      start += n_[r];
    }
    n_blocks_ = p[5];
    masks_ = p + 6;
    blocks_ = reinterpret_cast<const Block*>(masks_ + 2 * start_[kStructure]);
    // Outputs alias the accumulators; copy where the runtime gave another buffer.
    role_ = role;
    for (int64_t i = 0; i < n_[role]; ++i) {
      auto in = args_.get<ffi::AnyBuffer>(start_[role] + i);
      auto out = rets.get<ffi::AnyBuffer>(i);
      if (in->untyped_data() != (*out)->untyped_data()) {
        copy((*out)->untyped_data(), in->untyped_data(), in->size_bytes());
      }
    }
  }

  int64_t n(int r) const { return n_[r]; }
  int64_t n_blocks() const { return n_blocks_; }
  const Block& block(int64_t i) const { return blocks_[i]; }

  Operand operand(int r, int64_t i) const {
    int64_t at = start_[r] + i;
    Operand out;
    if (r == role_) {
      auto buffer = rets_.get<ffi::AnyBuffer>(i);
      out.data = static_cast<char*>((*buffer)->untyped_data());
      out.dtype = (*buffer)->element_type();
    } else {
      auto buffer = args_.get<ffi::AnyBuffer>(at);
      out.data = static_cast<char*>(buffer->untyped_data());
      out.dtype = buffer->element_type();
    }
    out.mask = r < kStructure ? masks_[2 * at] : 0;
    out.core = r < kStructure ? masks_[2 * at + 1] : -1;
    return out;
  }

  // Number of stored elements of an index array.
  int64_t structure_size(int64_t i) const {
    return static_cast<int64_t>(args_.get<ffi::AnyBuffer>(start_[kStructure] + i)->element_count());
  }

  // How many batch elements an operand has.
  int64_t batch_count(int64_t mask) const {
    int64_t out = 1;
    for (int64_t d = 0; d < n_batch_; ++d) {
      if (mask >> d & 1) out *= batch_[d];
    }
    return out;
  }

  int64_t union_mask(const Block& b) const {
    int64_t out = 0;
    for (int r = 0; r < 3; ++r) out |= masks_[2 * (start_[r] + b.array[r])];
    if (b.need >= 0) out |= masks_[2 * (start_[kNeeds] + b.need)];
    return out;
  }

  // Whether each batch element of every block has an accumulator of its own, and there are at least `parts` of them:
  // then threads share out batch elements.
  bool owns_batch(int role, int parts) const {
    for (int64_t i = 0; i < n_blocks_; ++i) {
      const Block& b = blocks_[i];
      int64_t all = union_mask(b);
      if (all != masks_[2 * (start_[role] + b.array[role])] || batch_count(all) < parts) return false;
    }
    return true;
  }

  BatchWalk walk(const Block& b) const {
    BatchWalk w;
    int64_t all = union_mask(b);
    if (all == 0) return w;
    int64_t stride[4] = {1, 1, 1, 1};
    int64_t mask[4];
    for (int r = 0; r < 3; ++r) mask[r] = masks_[2 * (start_[r] + b.array[r])];
    mask[3] = b.need >= 0 ? masks_[2 * (start_[kNeeds] + b.need)] : 0;
    for (int64_t d = 0; d < n_batch_; ++d) {
      if (all >> d & 1) {
        w.size[w.n++] = batch_[d];
        w.count *= batch_[d];
      }
    }
    int i = w.n;
    for (int64_t d = n_batch_ - 1; d >= 0; --d) {
      if (!(all >> d & 1)) continue;
      --i;
      for (int r = 0; r < 4; ++r) {
        bool has = mask[r] >> d & 1;
        w.stride[r][i] = has ? stride[r] : 0;
        if (has) stride[r] *= batch_[d];
      }
    }
    return w;
  }

 private:
  ffi::RemainingArgs args_;
  ffi::RemainingRets rets_;
  const int64_t* meta_;
  int64_t n_batch_;
  const int64_t* batch_;
  int64_t n_[5], start_[5];
  int64_t n_blocks_;
  const int64_t* masks_;
  const Block* blocks_;
  int role_;
};

}  // namespace brainfn
