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
#ifndef BRAINFN_CUDA_TILES
#define BRAINFN_CUDA_TILES 128
#endif

namespace brainfn {
namespace {

constexpr int64_t kTeams = BRAINFN_CUDA_TEAMS;      // more than any GPU runs at a time
constexpr int64_t kSegment = BRAINFN_CUDA_SEGMENT;  // elements of a row that one team takes
constexpr int64_t kMaxSegments = 256;
constexpr int64_t kLongRow = BRAINFN_CUDA_LONG_ROW;  // from which on a whole block sums a row
constexpr int64_t kMaxParts = 2048;                  // teams that share the columns where order counts
constexpr int64_t kMaxFixedParts = 64;               // the same where each of them makes all synapses
constexpr int64_t kTilesOfTeam = BRAINFN_CUDA_TILES;  // tiles of a just-in-time stream that one team takes

enum Kind : int64_t { kCsr = 0, kDense = 1, kEll = 2, kOneToOne = 3, kPermuted = 4, kDelayed = 5, kJit = 6 };

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Collects blocks into launches. Blocks of a launch run at the same time: where a kernel owns what it adds to, they must
// not overlap.
class Launcher {
 public:
  explicit Launcher(cudaStream_t stream) : stream_(stream) {}

  // `target`, `from`, `to`: which accumulator the block adds to, and where.
  void add(Op op, Numbers numbers, int width, Task task, int64_t target, int64_t from, int64_t to) {
    if (task.n_teams == 0) return;
    bool together = launch_.n_tasks < kMaxTasks && op == op_ && numbers == numbers_ && width == launch_.width;
    const bool atomic = op == Op::kScatter || op == Op::kSddmmScalar || op == Op::kPush || op == Op::kDot;
    for (int i = 0; i < launch_.n_tasks && !atomic; ++i) {
      together &= target_[i] != target || to <= from_[i] || to_[i] <= from;
    }
    if (!together) flush();
    op_ = op;
    numbers_ = numbers;
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
    if (launch_.n_tasks > 0) note_started(start(op_, numbers_, launch_, stream_));
    launch_.n_tasks = 0;
    launch_.n_teams = 0;
  }

  void note(const char* error) {
    if (error && !error_) error_ = error;
  }

  void note_started(const char* error) {
    started_ = true;
    note(error);
  }

  ffi::Error finish() {
    flush();
    if (!started_) note(start_nothing(stream_));
    return error_ ? ffi::Error::Internal(std::string("brainfn: a CUDA kernel did not start: ") + error_)
                  : ffi::Error::Success();
  }

 private:
  cudaStream_t stream_;
  Op op_ = Op::kScatter;
  Numbers numbers_ = Numbers::kF32;
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

const char* structure(const Call& call, const Block& b, int i) {
  return b.structure[i] < 0 ? nullptr : call.operand(kStructure, b.structure[i]).data;
}

Pattern pattern_of(const Call& call, const Block& b) {
  Pattern p{};
  const int64_t flags = b.extra[0];
  p.fixed = flags & 1;
  p.columns = flags >> 1 & 1;
  p.exclude = flags >> 2 & 1;
  p.law = static_cast<int32_t>(flags >> 3 & 3);
  p.bits = static_cast<int32_t>(flags >> 8 & 255);
  p.diagonal = static_cast<uint32_t>(b.extra[1]);
  p.fan_out = static_cast<uint32_t>(b.extra[2]);
  p.extent = static_cast<uint32_t>(b.extra[3]);
  p.seed = reinterpret_cast<const uint32_t*>(structure(call, b, 0));
  p.origin = reinterpret_cast<const int32_t*>(structure(call, b, 1));
  p.table = reinterpret_cast<const uint32_t*>(structure(call, b, 2));
  p.quantiles = reinterpret_cast<const int32_t*>(structure(call, b, 3));
  p.n_thresholds = static_cast<int32_t>(call.structure_size(b.structure[2]) / 2);
  // Where there are fewer tiles than lanes, several lanes share a tile.
  const int64_t n_tiles = ((p.columns ? b.n_rows : b.n_cols) >> p.bits) + 1;
  p.tile_lanes = 1;
  while (p.tile_lanes * 2 * n_tiles <= kWarp) p.tile_lanes *= 2;
  return p;
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
  if (b.kind == kJit) {
    t.pattern = pattern_of(call, b);
  } else if (b.kind == kDense) {
    t.fan_out = b.n_cols;
    t.columns_first = b.extra[0] != 0;
  } else if (b.kind == kOneToOne) {
    t.fan_out = 1;
    t.diagonal = true;
  } else {
    t.indices = reinterpret_cast<const int32_t*>(structure(call, b, 0));
    t.fan_out = ceil_div(call.structure_size(b.structure[0]), std::max<int64_t>(b.n_rows, 1));
  }
  if (b.kind == kCsr || b.kind == kPermuted || b.kind == kDelayed) {
    const Operand indptr = call.operand(kStructure, b.structure[1]);
    t.indptr = indptr.data;
    t.wide = indptr.dtype == ffi::DataType::S64;
  }
  if (b.kind == kPermuted) t.order = structure(call, b, 2);
  if (b.kind == kDelayed) {
    t.delays = structure(call, b, 2);
    t.wide_delays = call.operand(kStructure, b.structure[2]).dtype != ffi::DataType::U8;
    t.now = reinterpret_cast<const int32_t*>(structure(call, b, 3));
    t.ring_length = b.extra[0];
    t.ring_width = b.extra[1];
  }
  t.walk = owned_first(call.walk(b), role, t.shared);
  t.segments = 1;
  t.rows_per_team = 1;
  return t;
}

Numbers numbers_of(const Call& call, const Block& b) {
  const ffi::DataType weights = call.operand(kWeights, b.array[kWeights]).dtype;
  if (call.operand(kCols, b.array[kCols]).dtype == ffi::DataType::F64) return Numbers::kF64;
  if (weights == ffi::DataType::F16) return Numbers::kF32WithF16;
  return weights == ffi::DataType::BF16 ? Numbers::kF32WithBF16 : Numbers::kF32;
}

// Lanes for a row; `fan_out` is the mean length of a row.
int lanes_for(int64_t fan_out) { return fan_out <= 2 ? 1 : fan_out <= 16 ? 8 : kWarp; }

// Teams that take groups of `total` rows (or streams), for `elements` elements of the walk.
void share_rows(Task& t, int width, int64_t total, int64_t elements) {
  t.rows_per_team = std::clamp<int64_t>(elements * total / kTeams, 1, std::min(width, kWarp));
  t.n_teams = t.segments * ceil_div(total, t.rows_per_team) * elements;
}

// Teams that own parts of `total` columns (or positions).
void share_columns(Task& t, int64_t total, int64_t most, int64_t elements) {
  t.rows_per_team = std::max<int64_t>(8, ceil_div(total, most));
  t.n_teams = ceil_div(total, t.rows_per_team) * elements;
}

void plan_jit(Launcher& launcher, const Call& call, const Block& b, Task t, int role, bool ordered) {
  const Pattern& p = t.pattern;
  const int64_t own = t.walk.count / t.shared;
  const int64_t n_streams = p.columns ? t.n_cols : t.n_rows, n_positions = p.columns ? t.n_rows : t.n_cols;
  const int streams_role = p.columns ? kCols : kRows;
  const Operand y = call.operand(role, b.array[role]);
  int64_t from = 0, to = y.core_size();
  if (role != kWeights) {
    from = role == kCols ? b.col_offset : b.row_offset;
    to = from + (role == kCols ? b.n_cols : b.n_rows);
  }
  // Tiles are shared out where a stream has many; the candidates of a stream of fixed number are not.
  if (!p.fixed && role != streams_role) {
    t.segments = std::clamp<int64_t>((n_positions >> p.bits) / kTilesOfTeam, 1, kMaxSegments);
  }
  Op op;
  if (role == streams_role) {
    op = Op::kPull;
    b.need >= 0 && role == kRows ? share_rows(t, kWarp, n_streams, own) : share_rows(t, 1, n_streams, own);
  } else if (role == kWeights) {
    op = ordered ? Op::kDotOrdered : Op::kDot;
    ordered ? static_cast<void>(t.n_teams = own) : share_rows(t, kWarp, n_streams, t.walk.count);
  } else if (ordered) {
    op = Op::kPushOrdered;
    share_columns(t, n_positions, p.fixed ? kMaxFixedParts : kMaxParts, own);
  } else {
    op = Op::kPush;
    share_rows(t, kWarp, n_streams, t.walk.count);
  }
  launcher.add(op, numbers_of(call, b), kWarp, t, b.array[role], from, to);
}

void plan(Launcher& launcher, const Call& call, const Block& b, int role, bool ordered) {
  Task t = task_of(call, b, role);
  if (t.walk.count == 0 || t.n_rows == 0 || t.n_cols == 0) return;
  if (b.kind == kJit) return plan_jit(launcher, call, b, t, role, ordered);
  const int64_t own = t.walk.count / t.shared;
  const Numbers numbers = numbers_of(call, b);
  int width = lanes_for(t.fan_out);
  t.segments = std::clamp<int64_t>(t.fan_out / kSegment, 1, kMaxSegments);
  const Operand y = call.operand(role, b.array[role]);
  Op op;
  int64_t from = 0, to = y.core_size();
  if (role == kCols) {
    if (b.kind != kDelayed) {
      from = b.col_offset;
      to = from + b.n_cols;
    }
    if (ordered) {
      op = Op::kScatterOrdered;
      width = kWarp;
      share_columns(t, t.n_cols, kMaxParts, own);
    } else {
      op = Op::kScatter;
      share_rows(t, width, t.n_rows, t.walk.count);
    }
  } else if (role == kRows) {
    op = Op::kGather;
    from = b.row_offset;
    to = from + b.n_rows;
    t.segments = 1;
    if (t.fan_out > kLongRow) width = kBlock;
    share_rows(t, b.need >= 0 && width < kBlock ? width : 1, t.n_rows, own);
  } else if (!t.scalar_weights) {
    op = Op::kSddmm;
    share_rows(t, width, t.n_rows, own);
  } else if (ordered || numbers == Numbers::kF32WithF16 || numbers == Numbers::kF32WithBF16) {
    // Sums of many small parts would be lost in half precision.
    op = Op::kSddmmScalarOrdered;
    t.segments = width;
    width = kBlock;
    t.n_teams = own;
  } else {
    op = Op::kSddmmScalar;
    share_rows(t, width, t.n_rows, t.walk.count);
  }
  launcher.add(op, numbers, width, t, b.array[role], from, to);
}

// A call of an update is one block, with four arrays over columns.
void plan_update(Launcher& launcher, const Call& call, const Block& b) {
  Task t = task_of(call, b, kWeights);
  if (t.walk.count == 0 || t.n_rows == 0 || t.n_cols == 0) return;
  Array* rule[] = {&t.rule.change, &t.rule.factor, &t.rule.lower, &t.rule.upper};
  for (int i = 0; i < 4; ++i) {
    const Operand x = call.operand(kCols, i);
    *rule[i] = {x.data, x.core};
  }
  const int width = lanes_for(t.fan_out);
  t.segments = std::clamp<int64_t>(t.fan_out / kSegment, 1, kMaxSegments);
  share_rows(t, width, t.n_rows, t.walk.count);
  launcher.add(Op::kUpdate, numbers_of(call, b), width, t, 0, 0, 1);
}

template <typename F>
ffi::Error on_blocks(cudaStream_t stream, ffi::RemainingArgs args, ffi::RemainingRets rets,
                     ffi::Span<const int64_t> meta, int role, F f) {
  Launcher launcher(stream);
  const Call call(args, rets, meta, role, [&](void* to, const void* from, size_t n) {
    if (n > 0) launcher.note_started(copy(to, from, n, stream));
  });
  for (int64_t i = 0; i < call.n_blocks(); ++i) f(launcher, call, call.block(i));
  return launcher.finish();
}

template <int kRole>
ffi::Error contract(cudaStream_t stream, ffi::RemainingArgs args, ffi::RemainingRets rets,
                    ffi::Span<const int64_t> meta, bool ordered) {
  return on_blocks(stream, args, rets, meta, kRole, [&](Launcher& launcher, const Call& call, const Block& b) {
    plan(launcher, call, b, kRole, ordered);
  });
}

// Each weight is changed by one lane: the same in any order.
ffi::Error update(cudaStream_t stream, ffi::RemainingArgs args, ffi::RemainingRets rets,
                  ffi::Span<const int64_t> meta, bool) {
  return on_blocks(stream, args, rets, meta, kWeights, plan_update);
}

using Handler = ffi::Error (*)(cudaStream_t, ffi::RemainingArgs, ffi::RemainingRets, ffi::Span<const int64_t>, bool);

#if defined(BRAINFN_EMULATE)
template <Handler kHandler>
ffi::Error handler(ffi::RemainingArgs args, ffi::RemainingRets rets, ffi::Span<const int64_t> meta, bool ordered) {
  return kHandler(nullptr, args, rets, meta, ordered);
}
auto binding() { return ffi::Ffi::Bind(); }
#else
template <Handler kHandler>
ffi::Error handler(cudaStream_t stream, ffi::RemainingArgs args, ffi::RemainingRets rets,
                   ffi::Span<const int64_t> meta, bool ordered) {
  return kHandler(stream, args, rets, meta, ordered);
}
auto binding() { return ffi::Ffi::Bind().Ctx<ffi::PlatformStream<cudaStream_t>>(); }
#endif

}  // namespace
}  // namespace brainfn

#define BRAINFN_HANDLER(name, function)                                        \
  XLA_FFI_DECLARE_HANDLER_SYMBOL(name) __attribute__((visibility("default"))); \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, brainfn::handler<brainfn::function>,     \
                                brainfn::binding()                             \
                                    .RemainingArgs()                           \
                                    .RemainingRets()                           \
                                    .Attr<xla::ffi::Span<const int64_t>>("meta") \
                                    .Attr<bool>("deterministic"),              \
                                {xla::ffi::Traits::kCmdBufferCompatible})

BRAINFN_HANDLER(brainfn_scatter, contract<brainfn::kCols>);
BRAINFN_HANDLER(brainfn_gather, contract<brainfn::kRows>);
BRAINFN_HANDLER(brainfn_sddmm, contract<brainfn::kWeights>);
BRAINFN_HANDLER(brainfn_update, update);

#if defined(BRAINFN_EMULATE)
extern "C" __attribute__((visibility("default"))) void brainfn_emulated_order(int order) {
  brainfn::emulated_order() = order;
}
#endif
