// XLA's handlers of the contractions for CUDA: they share out the work and start kernels. They allocate nothing, wait
// for nothing and read nothing from the device, so XLA may capture them in a CUDA graph.

#include <algorithm>
#include <string>

#include "../call.h"
#include "task.h"
#include "team.h"

// The sizes below which work is not divided further. The tests make them small.
#ifndef BRAINFN_CUDA_TEAMS
#define BRAINFN_CUDA_TEAMS 16384
#endif
#ifndef BRAINFN_CUDA_SEGMENT
#define BRAINFN_CUDA_SEGMENT 512
#endif
#ifndef BRAINFN_CUDA_LONG_ROW
#define BRAINFN_CUDA_LONG_ROW 4096
#endif

namespace brainfn {
namespace {

constexpr int64_t kTeams = BRAINFN_CUDA_TEAMS;      // more than any GPU runs at a time
constexpr int64_t kSegment = BRAINFN_CUDA_SEGMENT;  // elements of a row that one team takes
constexpr int64_t kMaxSegments = 256;
constexpr int64_t kLongRow = BRAINFN_CUDA_LONG_ROW;  // from which on a whole block sums a row
constexpr int64_t kMaxParts = 2048;                  // teams that share the columns where order counts

enum Kind : int64_t { kCsr = 0, kDense = 1, kEll = 2, kOneToOne = 3 };

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Collects blocks into launches. Blocks of a launch run at the same time: where a kernel owns what it adds to, they must
// not overlap.
class Launcher {
 public:
  Launcher(bool wide_floats, cudaStream_t stream) : wide_floats_(wide_floats), stream_(stream) {}

  // `target`, `from`, `to`: which accumulator the block adds to, and where.
  void add(Op op, int width, Task task, int64_t target, int64_t from, int64_t to) {
    if (task.n_teams == 0) return;
    bool together = launch_.n_tasks < kMaxTasks && op == op_ && width == launch_.width;
    const bool atomic = op == Op::kScatter || op == Op::kSddmmScalar;
    for (int i = 0; i < launch_.n_tasks && !atomic; ++i) {
      together &= target_[i] != target || to <= from_[i] || to_[i] <= from;
    }
    if (!together) flush();
    op_ = op;
    const int i = launch_.n_tasks++;
    launch_.width = width;
    task.first_team = launch_.n_teams;
    launch_.n_teams += task.n_teams;
    launch_.task[i] = task;
    target_[i] = target;
    from_[i] = from;
    to_[i] = to;
  }

  void flush() {
    if (launch_.n_tasks > 0) note(start(op_, wide_floats_, launch_, stream_));
    started_ |= launch_.n_tasks > 0;
    launch_.n_tasks = 0;
    launch_.n_teams = 0;
  }

  void note(const char* error) {
    if (error && !error_) error_ = error;
  }

  ffi::Error finish() {
    flush();
    if (!started_) note(start_nothing(stream_));
    return error_ ? ffi::Error::Internal(std::string("brainfn: a CUDA kernel did not start: ") + error_)
                  : ffi::Error::Success();
  }

 private:
  bool wide_floats_;
  cudaStream_t stream_;
  Op op_ = Op::kScatter;
  Launch launch_;
  int64_t target_[kMaxTasks], from_[kMaxTasks], to_[kMaxTasks];
  bool started_ = false;
  const char* error_ = nullptr;
};

// The walk with the dimensions that the accumulator lacks last; how many elements each of its own takes.
BatchWalk owned_first(const BatchWalk& walk, int role, int64_t& shared) {
  BatchWalk out;
  out.count = walk.count;
  shared = 1;
  for (bool owned : {true, false}) {
    for (int i = 0; i < walk.n; ++i) {
      if ((walk.stride[role][i] != 0) != owned) continue;
      out.size[out.n] = walk.size[i];
      for (int r = 0; r < 4; ++r) out.stride[r][out.n] = walk.stride[r][i];
      ++out.n;
      if (!owned) shared *= walk.size[i];
    }
  }
  return out;
}

Task task_of(const Call& call, const Block& b, int role) {
  Task t{};
  t.n_rows = b.n_rows;
  t.n_cols = b.n_cols;
  t.row_offset = b.row_offset;
  t.col_offset = b.col_offset;
  for (int r = 0; r < 3; ++r) {
    const Operand x = call.operand(r, b.array[r]);
    t.array[r] = {x.data, x.core_size()};
    if (r == kRows) t.bool_rows = x.dtype == ffi::DataType::PRED;
    if (r == kWeights) t.scalar_weights = x.core < 0;
  }
  if (b.need >= 0) {
    const Operand x = call.operand(kNeeds, b.need);
    t.array[kNeeds] = {x.data, x.core_size()};
  }
  if (b.kind == kDense) {
    t.fan_out = b.n_cols;
  } else if (b.kind == kOneToOne) {
    t.fan_out = 1;
    t.diagonal = true;
  } else {
    t.indices = reinterpret_cast<const int32_t*>(call.operand(kStructure, b.structure[0]).data);
    t.fan_out = ceil_div(call.structure_size(b.structure[0]), std::max<int64_t>(b.n_rows, 1));
    if (b.kind == kCsr) {
      const Operand indptr = call.operand(kStructure, b.structure[1]);
      t.indptr = indptr.data;
      t.wide = indptr.dtype == ffi::DataType::S64;
    }
  }
  t.walk = owned_first(call.walk(b), role, t.shared);
  t.segments = 1;
  t.rows_per_team = 1;
  return t;
}

// Lanes for a row; `fan_out` is the mean length of a row.
int lanes_for(int64_t fan_out) { return fan_out <= 2 ? 1 : fan_out <= 16 ? 8 : kWarp; }

void plan(Launcher& launcher, const Call& call, const Block& b, int role, bool ordered) {
  Task t = task_of(call, b, role);
  if (t.walk.count == 0 || t.n_rows == 0 || t.n_cols == 0) return;
  const int64_t own = t.walk.count / t.shared;
  int width = lanes_for(t.fan_out);
  // Teams that take groups of rows, for `elements` elements of the walk.
  auto by_rows = [&](int64_t elements) {
    const int64_t most = std::min(width, kWarp);
    t.rows_per_team = std::clamp<int64_t>(elements * t.n_rows / kTeams, 1, most);
    t.n_teams = t.segments * ceil_div(t.n_rows, t.rows_per_team) * elements;
  };
  const Operand y = call.operand(role, b.array[role]);
  Op op;
  int64_t from = 0, to = y.core_size();
  if (role == kCols) {
    from = b.col_offset;
    to = from + b.n_cols;
    if (ordered) {
      op = Op::kScatterOrdered;
      width = kWarp;
      t.rows_per_team = std::max<int64_t>(8, ceil_div(t.n_cols, kMaxParts));
      t.n_teams = ceil_div(t.n_cols, t.rows_per_team) * own;
    } else {
      op = Op::kScatter;
      t.segments = std::clamp<int64_t>(t.fan_out / kSegment, 1, kMaxSegments);
      by_rows(t.walk.count);
    }
  } else if (role == kRows) {
    op = Op::kGather;
    from = b.row_offset;
    to = from + b.n_rows;
    if (t.fan_out > kLongRow) width = kBlock;
    if (b.need >= 0 && width < kBlock) {
      by_rows(own);
    } else {
      t.n_teams = t.n_rows * own;
    }
  } else if (t.scalar_weights && ordered) {
    op = Op::kSddmmScalarOrdered;
    t.segments = width;
    width = kBlock;
    t.n_teams = own;
  } else {
    op = t.scalar_weights ? Op::kSddmmScalar : Op::kSddmm;
    t.segments = std::clamp<int64_t>(t.fan_out / kSegment, 1, kMaxSegments);
    by_rows(t.scalar_weights ? t.walk.count : own);
  }
  launcher.add(op, width, t, b.array[role], from, to);
}

template <int kRole>
ffi::Error contract(cudaStream_t stream, ffi::RemainingArgs args, ffi::RemainingRets rets,
                    ffi::Span<const int64_t> meta, bool ordered) {
  const char* error = nullptr;
  const Call call(args, rets, meta, kRole, [&](void* to, const void* from, size_t n) {
    if (!error) error = copy(to, from, n, stream);
  });
  const bool wide_floats = call.operand(kRole, 0).dtype == ffi::DataType::F64;
  Launcher launcher(wide_floats, stream);
  launcher.note(error);
  for (int64_t i = 0; i < call.n_blocks(); ++i) plan(launcher, call, call.block(i), kRole, ordered);
  return launcher.finish();
}

#if defined(BRAINFN_EMULATE)
template <int kRole>
ffi::Error handler(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta, bool ordered) {
  return contract<kRole>(nullptr, args, rets, meta, ordered);
}
auto binding() { return ffi::Ffi::Bind(); }
#else
template <int kRole>
ffi::Error handler(cudaStream_t stream, ffi::RemainingArgs args, ffi::RemainingRets rets,
                   ffi::Span<const int64_t> meta, bool ordered) {
  return contract<kRole>(stream, args, rets, meta, ordered);
}
auto binding() { return ffi::Ffi::Bind().Ctx<ffi::PlatformStream<cudaStream_t>>(); }
#endif

}  // namespace
}  // namespace brainfn

#define BRAINFN_HANDLER(name, role)                                                                            \
  XLA_FFI_DECLARE_HANDLER_SYMBOL(name) __attribute__((visibility("default")));                                 \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, brainfn::handler<brainfn::role>,                                         \
                                brainfn::binding()                                                             \
                                    .RemainingArgs()                                                           \
                                    .RemainingRets()                                                           \
                                    .Attr<xla::ffi::Span<const int64_t>>("meta")                               \
                                    .Attr<bool>("deterministic"),                                              \
                                {xla::ffi::Traits::kCmdBufferCompatible})

BRAINFN_HANDLER(brainfn_scatter, kCols);
BRAINFN_HANDLER(brainfn_gather, kRows);
BRAINFN_HANDLER(brainfn_sddmm, kWeights);

#if defined(BRAINFN_EMULATE)
extern "C" __attribute__((visibility("default"))) void brainfn_emulated_order(int order) {
  brainfn::emulated_order() = order;
}
#endif
