// Where on the data's way: the shard; the ledger says which keys of a chunk are new, their segments step.
#include "server/shard/parameter_shard.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/finite.h"
#include "common/wire/run_identity.h"

namespace downpour {
namespace {

// The rule and every other field, also those at their defaults, so that a field added later is compared too.
std::string Describe(const OptimizerDescription& optimizer) {
  std::string text = OptimizerDescription::Kind_Name(optimizer.kind());
  const google::protobuf::Descriptor& fields = *OptimizerDescription::descriptor();
  for (int i = 0; i < fields.field_count(); ++i) {
    if (fields.field(i)->number() == OptimizerDescription::kKindFieldNumber) continue;
    std::string value;
    google::protobuf::TextFormat::PrintFieldValueToString(optimizer, fields.field(i), -1, &value);
    absl::StrAppend(&text, " ", fields.field(i)->name(), "=", value);
  }
  return text;
}

float At(TensorView values, size_t index) {
  return values.is_bfloat16() ? FromBfloat16(values.bfloats()[index]) : values.floats()[index];
}

// Names the first element that is NaN or infinite, in `planes` of the keys from `begin` on; empty: none is.
std::string NotFinite(const PushPlanes& planes, int64_t begin) {
  constexpr absl::string_view kNames[kMostPlanes] = {"gradient", "curvature", "squares"};
  for (size_t plane = 0; plane < planes.size(); ++plane) {
    const size_t index = FindNotFinite(planes[plane]);
    if (index < planes[plane].size()) {
      return absl::StrCat(kNames[plane], " of key ", begin + static_cast<int64_t>(index), " is ",
                          At(planes[plane], index));
    }
  }
  return "";
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
  DOWNPOUR_CHECK(options.segment_elements > 0 && options.segment_elements <= kSegmentElements);
  DOWNPOUR_CHECK(static_cast<int64_t>(initial.size()) == options.range.size());
  ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> optimizer,
                   Optimizer::Create(options.optimizer, options.warm_start, options.rounds));
  return absl::WrapUnique(new ParameterShard(std::move(options), std::move(optimizer), initial));
}

absl::StatusOr<std::unique_ptr<ParameterShard>> ParameterShard::Restore(Options options,
                                                                        const ShardSnapshot& snapshot) {
  RETURN_IF_ERROR(
      RequireEqual<int64_t>("number of parameters", snapshot.parameters.size(), options.range.size()));
  ASSIGN_OR_RETURN(std::unique_ptr<ParameterShard> shard, Create(std::move(options), snapshot.parameters));
  RETURN_IF_ERROR(shard->CheckSnapshot(snapshot));
  RETURN_IF_ERROR(shard->ledger_.Restore(snapshot.header));
  for (const std::unique_ptr<Segment>& segment : shard->segments_) {
    absl::MutexLock lock(&segment->mutex());
    const int64_t offset = segment->range().begin - shard->range().begin;
    for (size_t i = 0; i < snapshot.state.size(); ++i)
      std::copy_n(&snapshot.state[i][offset], segment->range().size(), segment->state(i).begin());
  }
  return shard;
}

ParameterShard::ParameterShard(Options options, std::unique_ptr<Optimizer> optimizer,
                               absl::Span<const float> initial)
    : options_(std::move(options)),
      optimizer_(std::move(optimizer)),
      ledger_(options_.shard, options_.range, options_.rounds, options_.push_limits, Clock::Real(), &log_) {
  const SegmentMemory memory;
  for (int64_t begin = 0; begin < range().size(); begin += options_.segment_elements) {
    segments_.push_back(std::make_unique<Segment>(range().begin + begin,
                                                  initial.subspan(begin, options_.segment_elements),
                                                  optimizer_->state_names().size(), memory));
  }
}

absl::Status ParameterShard::CheckSnapshot(const ShardSnapshot& snapshot) const {
  const ShardCheckpoint& header = snapshot.header;
  RETURN_IF_ERROR(CheckRun(ToRunKey(header.run())));
  RETURN_IF_ERROR(RequireEqual("shard", header.shard(), options_.shard));
  RETURN_IF_ERROR(RequireEqual<int64_t>("first key", header.begin(), range().begin));
  RETURN_IF_ERROR(RequireEqual<int64_t>("last key", header.end(), range().end));
  RETURN_IF_ERROR(RequireEqual("optimizer", Describe(header.optimizer()), Describe(options_.optimizer)));
  RETURN_IF_ERROR(RequireEqual("optimizer of the warm start", Describe(header.warm_start().optimizer()),
                               Describe(options_.warm_start.optimizer())));
  RETURN_IF_ERROR(
      RequireEqual("length of the warm start", header.warm_start().updates(), options_.warm_start.updates()));
  RETURN_IF_ERROR(RequireEqual<uint64_t>("pushes a round", header.round_pushes(), options_.rounds.pushes));
  RETURN_IF_ERROR(
      RequireEqual("number of state vectors", snapshot.state.size(), optimizer_->state_names().size()));
  for (const std::vector<float>& state : snapshot.state) {
    RETURN_IF_ERROR(RequireEqual("state size", state.size(), snapshot.parameters.size()));
  }
  return absl::OkStatus();
}

absl::Status ParameterShard::CheckRun(const RunKey& run) const {
  RETURN_IF_ERROR(RequireEqual("run", run.run_id, options_.run.run_id));
  RETURN_IF_ERROR(
      RequireEqual("layout fingerprint", run.layout_fingerprint, options_.run.layout_fingerprint));
  const uint64_t first = first_view_, last = last_view_;
  if (run.view == 0 || last == 0 || (run.view >= first && run.view <= last)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("a request for view ", run.view, " of shard ", options_.shard,
                                             ", want ", last, ", in which this server is"));
}

absl::StatusOr<PushOutcome> ParameterShard::ApplyChunk(const PushHeader& header, int64_t begin,
                                                       const PushPlanes& planes, TensorView fetched) {
  const auto size = static_cast<int64_t>(planes.gradient().size());
  RETURN_IF_ERROR(CheckFetched(planes.gradient().size(), fetched.size()));
  RETURN_IF_ERROR(CheckPlanes(planes.size()));
  for (size_t plane = 1; plane < planes.size(); ++plane) {
    RETURN_IF_ERROR(
        RequireEqual("number of keys in a further plane", planes[plane].size(), planes.gradient().size()));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<PushLedger::Entry> kept, ledger_.EntryFor(header, begin, size));
  PushLedger::Entry* const entry = kept.get();
  absl::MutexLock lock(&entry->mutex());
  ASSIGN_OR_RETURN(const std::optional<PushOutcome> answer, ledger_.Admit(header, begin, entry));
  if (answer.has_value()) return *answer;
  if (size == 0) return ledger_.Reject(header, "an empty chunk", entry);
  if (const std::string why = NotFinite(planes, begin); !why.empty())
    return ledger_.Reject(header, why, entry);
  const UpdateStep step = StepOf(entry->push());
  const KeyRange wanted{static_cast<int64_t>(entry->push().next_key()), begin + size};
  ForEachSegment(wanted, [&](Segment& segment, KeyRange keys) {
    entry->mutex().AssertHeld();
    absl::ReaderMutexLock snapshot(&ledger_.snapshot_mutex());
    absl::MutexLock segment_lock(&segment.mutex());
    const KeyRange part{keys.begin - begin, keys.end - begin};
    const PushPlanes piece = planes.Part(part);
    LogPlanes(header.replica_id, keys.begin, piece);
    Step(step, keys.begin, piece, fetched.empty() ? fetched : fetched[part], &segment);
    ledger_.Advance(keys.end, entry);
  });
  return ledger_.Outcome(*entry);
}

absl::StatusOr<PushOutcome> ParameterShard::ApplySegments(const PushHeader& header, KeyRange keys,
                                                          size_t planes, const PlaneReader& read,
                                                          const ParallelFor& parallel_for) {
  RETURN_IF_ERROR(CheckFetched(keys.size(), 0));
  RETURN_IF_ERROR(CheckPlanes(planes));
  ASSIGN_OR_RETURN(const std::shared_ptr<PushLedger::Entry> kept,
                   ledger_.EntryFor(header, keys.begin, keys.size()));
  PushLedger::Entry* const entry = kept.get();
  absl::MutexLock lock(&entry->mutex());
  ASSIGN_OR_RETURN(const std::optional<PushOutcome> answer, ledger_.Admit(header, keys.begin, entry));
  if (answer.has_value()) return *answer;
  const UpdateStep step = StepOf(entry->push());
  const int64_t first_key = entry->push().next_key();
  const int64_t size = options_.segment_elements;
  const int64_t first_segment = (first_key - range().begin) / size;
  const int64_t end_segment = (keys.end - range().begin + size - 1) / size;
  const int64_t segments = keys.end > first_key ? end_segment - first_segment : 0;
  absl::Mutex mutex;
  int64_t checked = 0;           // segments, from the first on, that are read and checked; under `mutex`
  int64_t next_key = first_key;  // the gradient of all keys before it is finite; under `mutex`
  std::string not_finite;        // names the first key whose gradient is not; under `mutex`
  const auto apply = [&](int64_t index) {
    thread_local std::vector<float> buffers[kMostPlanes];
    const int64_t begin = std::max(first_key, range().begin + (first_segment + index) * size);
    Segment& segment = SegmentOf(begin);
    const int64_t stop = std::min(segment.range().end, keys.end);
    const auto copy = [&](size_t plane) {
      buffers[plane].resize(kSegmentElements);
      const absl::Span<float> of_plane = absl::MakeSpan(buffers[plane]).first(stop - begin);
      read(plane, begin, of_plane);
      return TensorView(of_plane);
    };
    PushPlanes copies(copy(0));
    for (size_t plane = 1; plane < planes; ++plane) copies.Add(copy(plane));
    const std::string bad = NotFinite(copies, begin);
    {
      absl::MutexLock ordered(&mutex);
      const auto is_next = [&] { return checked == index; };
      mutex.Await(absl::Condition(&is_next));
      ++checked;
      if (not_finite.empty()) not_finite = bad;
      if (!not_finite.empty()) return;
      next_key = stop;
      // Here, so that the log has the order of keys and that of the segment's steps. Who has a segment's
      // lock waits for nothing, so pushes cannot wait for each other.
      segment.mutex().Lock();
      LogPlanes(header.replica_id, begin, copies);
    }
    Step(step, begin, copies, {}, &segment);
    segment.mutex().Unlock();
  };
  {
    absl::ReaderMutexLock snapshot(&ledger_.snapshot_mutex());
    parallel_for(segments, apply);
    ledger_.Advance(next_key, entry);
  }
  if (!not_finite.empty()) return ledger_.Reject(header, not_finite, entry);
  return ledger_.Outcome(*entry);
}

void ParameterShard::Step(const UpdateStep& step, int64_t begin, const PushPlanes& planes, TensorView fetched,
                          Segment* segment) {
  if (sampler_.Due(step.update)) sampler_.Note(*optimizer_, step, begin, planes, *segment);
  segment->Step(*optimizer_, step, begin, planes, fetched);
}

absl::Status ParameterShard::CheckFetched(size_t gradient, size_t fetched) const {
  const bool wanted = options_.optimizer.compensation() != OptimizerDescription::NONE;
  if (fetched == (wanted ? gradient : 0)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("a gradient of ", gradient, " keys comes with ", fetched, " fetched parameters, want ",
                   wanted ? gradient : 0, " for optimizer.compensation ",
                   OptimizerDescription::Compensation_Name(options_.optimizer.compensation())));
}

absl::Status ParameterShard::CheckPlanes(size_t planes) const {
  if (optimizer_->TakesPlanes(planes)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("a push of ", planes, " planes, want what ",
                   OptimizerDescription::Kind_Name(options_.optimizer.kind()), " takes"));
}

UpdateStep ParameterShard::StepOf(const ReplicaLedgerEntry& push) const {
  return downpour::StepOf(options_.optimizer, push.update(), push.staleness(), push.plateau_factor());
}

template <typename Each>
void ParameterShard::ForEachSegment(KeyRange keys, Each each) const {
  for (int64_t key = keys.begin, stop; key < keys.end; key = stop) {
    Segment& segment = SegmentOf(key);
    stop = std::min(segment.range().end, keys.end);
    each(segment, KeyRange{key, stop});
  }
}

absl::Status ParameterShard::CheckReadable(KeyRange keys) const {
  if (range().Contains(keys)) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("keys [", keys.begin, ", ", keys.end, ") to read, want them in [",
                                            range().begin, ", ", range().end, ")"));
}

absl::Status ParameterShard::Read(KeyRange keys, MutableTensorView parameters) const {
  DOWNPOUR_CHECK(static_cast<int64_t>(parameters.size()) == keys.size());
  RETURN_IF_ERROR(CheckReadable(keys));
  ForEachSegment(keys, [&](Segment& segment, KeyRange piece) {
    absl::ReaderMutexLock lock(&segment.mutex());
    segment.Read(piece, parameters[{piece.begin - keys.begin, piece.end - keys.begin}]);
  });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<LentParameters>> ParameterShard::Lend(KeyRange keys, bool bfloat16) const {
  RETURN_IF_ERROR(CheckReadable(keys));
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
  ledger_.FillCounters(status);
}

ShardSnapshot ParameterShard::EmptySnapshot() const {
  ShardSnapshot snapshot;
  snapshot.parameters.resize(range().size());
  snapshot.state.assign(optimizer_->state_names().size(), std::vector<float>(range().size()));
  ShardCheckpoint& header = snapshot.header;
  *header.mutable_optimizer() = options_.optimizer;
  *header.mutable_warm_start() = options_.warm_start;
  header.set_round_pushes(options_.rounds.pushes);
  for (const ParameterLayout::Tensor& tensor : options_.layout.tensors()) {
    TensorShape* shape = header.add_layout();
    shape->set_name(tensor.name);
    shape->mutable_shape()->Assign(tensor.shape.begin(), tensor.shape.end());
  }
  return snapshot;
}

void ParameterShard::CopyTo(ShardSnapshot* snapshot) const {
  for (const std::unique_ptr<Segment>& segment : segments_) {
    absl::MutexLock segment_lock(&segment->mutex());
    const int64_t offset = segment->range().begin - range().begin;
    absl::c_copy(segment->parameters(), &snapshot->parameters[offset]);
    for (size_t i = 0; i < snapshot->state.size(); ++i)
      absl::c_copy(segment->state(i), &snapshot->state[i][offset]);
  }
  FillStatus(&snapshot->header);
  ledger_.CopyTo(&snapshot->header);
}

ShardSnapshot ParameterShard::Snapshot() const {
  // The memory is allocated before the lock is taken: touching new memory takes longer than the copy.
  ShardSnapshot snapshot = EmptySnapshot();
  absl::MutexLock lock(&ledger_.snapshot_mutex());
  CopyTo(&snapshot);
  return snapshot;
}

ShardStatus ParameterShard::Status() const {
  ShardStatus status;
  FillStatus(&status);
  return status;
}

absl::StatusOr<SampleReply> ParameterShard::Sample(const SampleRequest& request) {
  RETURN_IF_ERROR(CheckRun(ToRunKey(request.run())));
  RETURN_IF_ERROR(RequireEqual<absl::string_view>(
      "compensation, of which nothing is sampled",
      OptimizerDescription::Compensation_Name(options_.optimizer.compensation()), "NONE"));
  for (const uint64_t key : request.key()) {
    if (key < static_cast<uint64_t>(range().begin) || key >= static_cast<uint64_t>(range().end)) {
      return absl::OutOfRangeError(
          absl::StrCat("key ", key, " to sample, want one in [", range().begin, ", ", range().end, ")"));
    }
  }
  return sampler_.Take(request);
}

Segment& ParameterShard::SegmentOf(int64_t key) const {
  return *segments_[(key - range().begin) / options_.segment_elements];
}

}  // namespace downpour
