// Where on the data's way: the shard; gradient chunks are checked and applied as they arrive, fetches read.
#include "server/shard/parameter_shard.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/finite.h"
#include "common/wire/run_identity.h"
#include "spdlog/spdlog.h"

namespace downpour {
namespace {

std::string Describe(const OptimizerDescription& optimizer) {
  return absl::StrFormat("%s rho=%.9g epsilon=%.9g learning_rate=%.9g",
                         OptimizerDescription::Kind_Name(optimizer.kind()), optimizer.rho(),
                         optimizer.epsilon(), optimizer.learning_rate());
}

std::string Describe(const PushHeader& header) {
  return absl::StrCat("push ", header.sequence, " of replica ", header.replica_id, " (incarnation ",
                      header.incarnation, ")");
}

float At(TensorView values, size_t index) {
  return values.is_bfloat16() ? FromBfloat16(values.bfloats()[index]) : values.floats()[index];
}

template <typename T>
absl::Status RequireEqual(absl::string_view what, const T& seen, const T& wanted) {
  if (seen == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("other ", what, ": ", seen, ", want ", wanted));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ParameterShard>> ParameterShard::Create(Options options,
                                                                       absl::Span<const float> initial) {
  DOWNPOUR_CHECK(options.range.begin >= 0 && options.range.size() > 0);
  DOWNPOUR_CHECK(static_cast<int64_t>(initial.size()) == options.range.size());
  ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> optimizer, Optimizer::Create(options.optimizer));
  return absl::WrapUnique(new ParameterShard(std::move(options), std::move(optimizer), initial));
}

absl::StatusOr<std::unique_ptr<ParameterShard>> ParameterShard::Restore(Options options,
                                                                        const ShardSnapshot& snapshot) {
  RETURN_IF_ERROR(
      RequireEqual<int64_t>("number of parameters", snapshot.parameters.size(), options.range.size()));
  ASSIGN_OR_RETURN(std::unique_ptr<ParameterShard> shard, Create(std::move(options), snapshot.parameters));
  RETURN_IF_ERROR(shard->CheckSnapshot(snapshot));
  for (const std::unique_ptr<Segment>& segment : shard->segments_) {
    absl::MutexLock lock(&segment->mutex());
    const int64_t offset = segment->range().begin - shard->range().begin;
    for (size_t i = 0; i < snapshot.state.size(); ++i)
      std::copy_n(&snapshot.state[i][offset], segment->range().size(), segment->state(i).begin());
  }
  const ShardCheckpoint& header = snapshot.header;
  for (const ReplicaLedgerEntry& push : header.ledger()) {
    LedgerEntry& entry = shard->EntryOf(push.replica_id());
    absl::MutexLock lock(&entry.mutex);
    entry.push = push;
  }
  shard->version_ = header.version();
  shard->pushes_duplicate_ = header.pushes_duplicate();
  shard->pushes_rejected_ = header.pushes_rejected();
  shard->pushes_partial_ = header.pushes_partial();
  return shard;
}

ParameterShard::ParameterShard(Options options, std::unique_ptr<Optimizer> optimizer,
                               absl::Span<const float> initial)
    : options_(std::move(options)), optimizer_(std::move(optimizer)) {
  const SegmentMemory memory;
  for (int64_t begin = 0; begin < range().size(); begin += kSegmentElements) {
    segments_.push_back(std::make_unique<Segment>(range().begin + begin,
                                                  initial.subspan(begin, kSegmentElements),
                                                  optimizer_->state_names().size(), memory));
  }
}

ParameterShard::~ParameterShard() = default;

absl::Status ParameterShard::CheckSnapshot(const ShardSnapshot& snapshot) const {
  const ShardCheckpoint& header = snapshot.header;
  RETURN_IF_ERROR(CheckRun(ToRunKey(header.run())));
  RETURN_IF_ERROR(RequireEqual("shard", header.shard(), options_.shard));
  RETURN_IF_ERROR(RequireEqual<int64_t>("first key", header.begin(), range().begin));
  RETURN_IF_ERROR(RequireEqual<int64_t>("last key", header.end(), range().end));
  RETURN_IF_ERROR(RequireEqual("optimizer", Describe(header.optimizer()), Describe(options_.optimizer)));
  RETURN_IF_ERROR(
      RequireEqual("number of state vectors", snapshot.state.size(), optimizer_->state_names().size()));
  for (const std::vector<float>& state : snapshot.state) {
    RETURN_IF_ERROR(RequireEqual("state size", state.size(), snapshot.parameters.size()));
  }
  for (const ReplicaLedgerEntry& push : header.ledger()) {
    if (push.sequence() < 1 || push.next_key() < header.begin() || push.next_key() > header.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat("ledger of replica ", push.replica_id(), ": push ", push.sequence(),
                       " applied up to key ", push.next_key(), ", want a push from 1 on and a key in [",
                       header.begin(), ", ", header.end(), "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status ParameterShard::CheckRun(const RunKey& run) const {
  RETURN_IF_ERROR(RequireEqual("run", run.run_id, options_.run.run_id));
  return RequireEqual("layout fingerprint", run.layout_fingerprint, options_.run.layout_fingerprint);
}

absl::Status ParameterShard::CheckKeys(const PushHeader& header, int64_t begin, int64_t size) const {
  if (header.sequence < 1) return absl::InvalidArgumentError("push sequence 0, want 1 or more");
  if (begin < range().begin || begin > range().end || size > range().end - begin) {
    return absl::OutOfRangeError(absl::StrCat(Describe(header), ": ", size, " keys from ", begin,
                                              ", want them in [", range().begin, ", ", range().end, ")"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<PushOutcome>> ParameterShard::Admit(const PushHeader& header, int64_t begin,
                                                                 ReplicaLedgerEntry* push) {
  if (header.incarnation < push->incarnation()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(header), ": incarnation ", push->incarnation(), " has pushed since"));
  }
  const bool same_incarnation = header.incarnation == push->incarnation();
  const bool begun = same_incarnation && header.sequence == push->sequence();
  if (begun && push->rejected()) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(header), " was rejected before"));
  }
  const bool applied = begun && static_cast<int64_t>(push->next_key()) == range().end;
  if (applied || (same_incarnation && header.sequence < push->sequence())) {
    absl::ReaderMutexLock snapshot(&snapshot_mutex_);
    if (begin == range().begin) ++pushes_duplicate_;
    return PushOutcome{version(), applied ? push->staleness() : 0, true};
  }
  const int64_t next_key = begun ? push->next_key() : range().begin;
  if (begin > next_key) {
    return absl::OutOfRangeError(
        absl::StrCat(Describe(header), ": chunk begins at key ", begin, ", want ", next_key, " next"));
  }
  if (!begun) Begin(header, push);
  return std::nullopt;
}

absl::StatusOr<PushOutcome> ParameterShard::ApplyChunk(const PushHeader& header, int64_t begin,
                                                       TensorView gradient) {
  RETURN_IF_ERROR(CheckKeys(header, begin, static_cast<int64_t>(gradient.size())));
  LedgerEntry& entry = EntryOf(header.replica_id);
  absl::MutexLock lock(&entry.mutex);
  ReplicaLedgerEntry& push = entry.push;
  ASSIGN_OR_RETURN(const std::optional<PushOutcome> answer, Admit(header, begin, &push));
  if (answer.has_value()) return *answer;
  if (gradient.empty()) return Reject(header, "an empty chunk", &push);
  if (const size_t index = FindNotFinite(gradient); index < gradient.size()) {
    return Reject(header, absl::StrCat("gradient of key ", begin + index, " is ", At(gradient, index)),
                  &push);
  }
  Apply(begin, gradient, &push);
  return PushOutcome{version(), push.staleness(), false};
}

absl::StatusOr<PushOutcome> ParameterShard::ApplySegments(const PushHeader& header, KeyRange keys,
                                                          const GradientReader& read,
                                                          const ParallelFor& parallel_for) {
  RETURN_IF_ERROR(CheckKeys(header, keys.begin, keys.size()));
  LedgerEntry& entry = EntryOf(header.replica_id);
  absl::MutexLock lock(&entry.mutex);
  ReplicaLedgerEntry& push = entry.push;
  ASSIGN_OR_RETURN(const std::optional<PushOutcome> answer, Admit(header, keys.begin, &push));
  if (answer.has_value()) return *answer;
  const int64_t first_key = push.next_key();
  const int64_t first_segment = (first_key - range().begin) / kSegmentElements;
  const int64_t end_segment = (keys.end - range().begin + kSegmentElements - 1) / kSegmentElements;
  absl::Mutex mutex;
  int64_t checked = 0;     // segments in a row, under `mutex`
  std::string not_finite;  // of the first such key, likewise
  const auto apply = [&](int64_t index) {
    thread_local std::vector<float> buffer(kSegmentElements);
    const int64_t begin = std::max(first_key, range().begin + (first_segment + index) * kSegmentElements);
    Segment& segment = SegmentOf(begin);
    const int64_t stop = std::min(segment.range().end, keys.end);
    const absl::Span<float> gradient = absl::MakeSpan(buffer).first(stop - begin);
    read(begin, gradient);
    const size_t bad = FindNotFinite(gradient);
    {
      absl::MutexLock ordered(&mutex);
      const auto is_next = [&] { return checked == index; };
      mutex.Await(absl::Condition(&is_next));
      if (bad < gradient.size() && not_finite.empty())
        not_finite = absl::StrCat("gradient of key ", begin + bad, " is ", gradient[bad]);
      if (not_finite.empty()) push.set_next_key(stop);
      ++checked;
      if (!not_finite.empty()) return;
    }
    absl::MutexLock segment_lock(&segment.mutex());
    segment.Step(*optimizer_, StepOf(options_.optimizer, version() + 1, push.staleness()), begin, gradient);
  };
  {
    absl::ReaderMutexLock snapshot(&snapshot_mutex_);
    parallel_for(std::max<int64_t>(end_segment - first_segment, 0), apply);
    if (static_cast<int64_t>(push.next_key()) == range().end) ++version_;
  }
  if (!not_finite.empty()) return Reject(header, not_finite, &push);
  return PushOutcome{version(), push.staleness(), false};
}

absl::Status ParameterShard::RejectPush(const PushHeader& header, absl::string_view why) {
  LedgerEntry& entry = EntryOf(header.replica_id);
  absl::MutexLock lock(&entry.mutex);
  ReplicaLedgerEntry& push = entry.push;
  const bool under_way = header.incarnation == push.incarnation() && header.sequence == push.sequence() &&
                         static_cast<int64_t>(push.next_key()) < range().end && !push.rejected();
  return under_way ? Reject(header, why, &push) : absl::InvalidArgumentError(why);
}

void ParameterShard::Begin(const PushHeader& header, ReplicaLedgerEntry* push) {
  absl::ReaderMutexLock snapshot(&snapshot_mutex_);
  const bool abandoned =
      push->sequence() > 0 && !push->rejected() && static_cast<int64_t>(push->next_key()) < range().end;
  if (abandoned) ++pushes_partial_;
  const uint64_t now = version();
  push->set_replica_id(header.replica_id);
  push->set_incarnation(header.incarnation);
  push->set_sequence(header.sequence);
  push->set_next_key(range().begin);
  push->set_rejected(false);
  push->set_staleness(now > header.fetched_version ? now - header.fetched_version : 0);
}

absl::Status ParameterShard::Reject(const PushHeader& header, absl::string_view why,
                                    ReplicaLedgerEntry* push) {
  uint64_t rejected;
  {
    absl::ReaderMutexLock snapshot(&snapshot_mutex_);
    push->set_rejected(true);
    rejected = ++pushes_rejected_;
  }
  const std::string message =
      absl::StrCat(Describe(header), " rejected from key ", push->next_key(), " on: ", why);
  // A replica gone wild pushes NaN for ever: the log shows the 1st, 2nd, 4th, 8th, ... of all.
  if ((rejected & (rejected - 1)) == 0)
    spdlog::warn("shard {}: {} ({} so far)", options_.shard, message, rejected);
  return absl::InvalidArgumentError(message);
}

void ParameterShard::Apply(int64_t begin, TensorView gradient, ReplicaLedgerEntry* push) {
  const KeyRange wanted{static_cast<int64_t>(push->next_key()),
                        begin + static_cast<int64_t>(gradient.size())};
  ForEachSegment(wanted, [&](Segment& segment, KeyRange keys) {
    absl::ReaderMutexLock snapshot(&snapshot_mutex_);
    absl::MutexLock lock(&segment.mutex());
    segment.Step(*optimizer_, StepOf(options_.optimizer, version() + 1, push->staleness()), keys.begin,
                 gradient[{keys.begin - begin, keys.end - begin}]);
    push->set_next_key(keys.end);
    if (keys.end == range().end) ++version_;
  });
}

template <typename Each>
void ParameterShard::ForEachSegment(KeyRange keys, Each each) const {
  for (int64_t key = keys.begin, stop; key < keys.end; key = stop) {
    Segment& segment = SegmentOf(key);
    stop = std::min(segment.range().end, keys.end);
    each(segment, KeyRange{key, stop});
  }
}

absl::Status ParameterShard::CheckKeys(KeyRange keys) const {
  if (range().Contains(keys)) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("keys [", keys.begin, ", ", keys.end, ") to read, want them in [",
                                            range().begin, ", ", range().end, ")"));
}

absl::Status ParameterShard::Read(KeyRange keys, MutableTensorView parameters) const {
  DOWNPOUR_CHECK(static_cast<int64_t>(parameters.size()) == keys.size());
  RETURN_IF_ERROR(CheckKeys(keys));
  ForEachSegment(keys, [&](Segment& segment, KeyRange piece) {
    absl::ReaderMutexLock lock(&segment.mutex());
    segment.Read(piece, parameters[{piece.begin - keys.begin, piece.end - keys.begin}]);
  });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LentParameters>> ParameterShard::Lend(KeyRange keys, bool bfloat16) const {
  RETURN_IF_ERROR(CheckKeys(keys));
  std::vector<LentParameters> lent;
  ForEachSegment(keys, [&](Segment& segment, KeyRange piece) {
    absl::MutexLock lock(&segment.mutex());
    lent.push_back(segment.Lend(piece, bfloat16));
  });
  return lent;
}

template <typename Message>
void ParameterShard::FillStatus(Message* status) const {
  FillRunIdentity(options_.run, status->mutable_run());
  status->set_shard(options_.shard);
  status->set_begin(range().begin);
  status->set_end(range().end);
  status->set_version(version_);
  status->set_pushes_duplicate(pushes_duplicate_);
  status->set_pushes_rejected(pushes_rejected_);
  status->set_pushes_partial(pushes_partial_);
}

ShardSnapshot ParameterShard::Snapshot() const {
  // Room is made before the lock is taken: touching new memory takes longer than the copy.
  ShardSnapshot snapshot;
  snapshot.parameters.resize(range().size());
  snapshot.state.assign(optimizer_->state_names().size(), std::vector<float>(range().size()));
  ShardCheckpoint& header = snapshot.header;
  *header.mutable_optimizer() = options_.optimizer;
  for (const ParameterLayout::Tensor& tensor : options_.layout.tensors()) {
    TensorShape* shape = header.add_layout();
    shape->set_name(tensor.name);
    shape->mutable_shape()->Assign(tensor.shape.begin(), tensor.shape.end());
  }
  absl::MutexLock lock(&snapshot_mutex_);
  for (const std::unique_ptr<Segment>& segment : segments_) {
    absl::MutexLock segment_lock(&segment->mutex());
    const int64_t offset = segment->range().begin - range().begin;
    absl::c_copy(segment->parameters(), &snapshot.parameters[offset]);
    for (size_t i = 0; i < snapshot.state.size(); ++i)
      absl::c_copy(segment->state(i), &snapshot.state[i][offset]);
  }
  FillStatus(&header);
  CopyLedger(&header);
  return snapshot;
}

void ParameterShard::CopyLedger(ShardCheckpoint* header) const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  {
    absl::MutexLock lock(&ledger_mutex_);
    for (const auto& [replica_id, entry] : ledger_) {
      if (entry->push.sequence() > 0) *header->add_ledger() = entry->push;
    }
  }
  // The map has no order; equal shards must give equal bytes.
  std::sort(header->mutable_ledger()->begin(), header->mutable_ledger()->end(),
            [](const auto& a, const auto& b) { return a.replica_id() < b.replica_id(); });
}

ShardStatus ParameterShard::Status() const {
  ShardStatus status;
  FillStatus(&status);
  return status;
}

ParameterShard::LedgerEntry& ParameterShard::EntryOf(uint64_t replica_id) {
  absl::MutexLock lock(&ledger_mutex_);
  std::unique_ptr<LedgerEntry>& entry = ledger_[replica_id];
  if (entry == nullptr) entry = std::make_unique<LedgerEntry>();
  return *entry;
}

Segment& ParameterShard::SegmentOf(int64_t key) const {
  return *segments_[(key - range().begin) / kSegmentElements];
}

}  // namespace downpour
