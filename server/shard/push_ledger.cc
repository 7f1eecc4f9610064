// Where on the data's way: inside the shard; compares each chunk's push with the last push of its replica.
#include "server/shard/push_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "common/tls/token.h"

namespace downpour {
namespace {

std::string Describe(const PushHeader& header) {
  return absl::StrCat("push ", header.sequence, " of replica ", header.replica_id, " (incarnation ",
                      header.incarnation, ")");
}

}  // namespace

template <typename Fill>
void PushLedger::Log(uint64_t replica_id, Fill fill) {
  if (log_ == nullptr || !log_->is_kept()) return;
  ShardChange change;
  change.set_replica_id(replica_id);
  fill(&change);
  log_->Append(std::move(change));
}

absl::StatusOr<std::shared_ptr<PushLedger::Entry>> PushLedger::EntryFor(const PushHeader& header,
                                                                        int64_t begin, int64_t size) {
  if (header.sequence < 1) return absl::InvalidArgumentError("push sequence 0, want 1 or more");
  if (begin < range_.begin || begin > range_.end || size > range_.end - begin) {
    return absl::OutOfRangeError(absl::StrCat(Describe(header), ": ", size, " keys from ", begin,
                                              ", want them in [", range_.begin, ", ", range_.end, ")"));
  }
  const absl::Time now = clock_->Now();
  absl::MutexLock lock(&map_mutex_);
  if (joins_known_ && (header.replica_id > last_replica_id_ || header.incarnation > last_incarnation_)) {
    return absl::UnavailableError(absl::StrCat(
        Describe(header), ": the coordinator has given out ids up to ", last_replica_id_,
        " and incarnations up to ", last_incarnation_, ", as far as shard ", shard_, " knows yet"));
  }
  RETURN_IF_ERROR(CheckProven(header));
  auto known = replicas_.find(header.replica_id);
  if (known == replicas_.end()) {
    if (forgotten_incarnation_ > 0 && header.incarnation <= forgotten_incarnation_) {
      return absl::AbortedError(
          absl::StrCat(Describe(header), ": replicas with incarnations up to ", forgotten_incarnation_,
                       " that were silent for an hour are forgotten; want a replica that has joined again"));
    }
    RETURN_IF_ERROR(MakeRoom(now));
    known = replicas_.emplace(header.replica_id, Known()).first;
  }
  known->second.incarnation = std::max(known->second.incarnation, header.incarnation);
  known->second.last_chunk = now;
  known->second.token = header.token;
  known->second.token_incarnation = header.incarnation;
  return known->second.entry;
}

absl::Status PushLedger::CheckProven(const PushHeader& header) const {
  if (run_secret_.empty()) return absl::OkStatus();
  const auto known = replicas_.find(header.replica_id);
  // Of the chunks of a push only the first has the token made.
  if (known != replicas_.end() && known->second.token_incarnation == header.incarnation &&
      !known->second.token.empty()) {
    return CheckToken(header.token, known->second.token, header.replica_id, header.incarnation);
  }
  return CheckToken(header.token, ReplicaToken(run_secret_, run_id_, header.replica_id, header.incarnation),
                    header.replica_id, header.incarnation);
}

uint64_t PushLedger::MostSilent() const {
  return std::min_element(
             replicas_.begin(), replicas_.end(),
             [](const auto& a, const auto& b) { return a.second.last_chunk < b.second.last_chunk; })
      ->first;
}

void PushLedger::Forget(uint64_t replica_id) {
  const auto known = replicas_.find(replica_id);
  forgotten_incarnation_ = std::max(forgotten_incarnation_, known->second.incarnation);
  replicas_.erase(known);
}

absl::Status PushLedger::MakeRoom(absl::Time now) {
  if (replicas_.size() < limits_.replicas) return absl::OkStatus();
  const uint64_t silent = MostSilent();
  const Known& known = replicas_[silent];
  // Nobody can get a silent replica's entry while map_mutex_ is held, so its only owner is the map.
  if (now - known.last_chunk < kForgetAfter || known.entry.use_count() > 1) {
    return absl::ResourceExhaustedError(
        absl::StrCat(replicas_.size(), " replicas have pushed within an hour, which is as many as shard ",
                     shard_, " takes"));
  }
  Forget(silent);
  return absl::OkStatus();
}

std::shared_ptr<PushLedger::Entry> PushLedger::FollowedEntry(uint64_t replica_id, uint64_t incarnation) {
  absl::MutexLock lock(&map_mutex_);
  if (!replicas_.contains(replica_id) && replicas_.size() >= limits_.replicas) Forget(MostSilent());
  Known& known = replicas_[replica_id];
  known.last_chunk = clock_->Now();
  known.incarnation = std::max(known.incarnation, incarnation);
  return known.entry;
}

absl::Status PushLedger::Begun(const ReplicaLedgerEntry& push) {
  const auto next_key = static_cast<int64_t>(push.next_key());
  if (push.sequence() < 1 || (next_key != range_.begin && next_key != range_.end)) {
    return absl::DataLossError(absl::StrCat("push ", push.sequence(), " of replica ", push.replica_id(),
                                            " begins at key ", next_key, ", want a push from 1 on and key ",
                                            range_.begin, " or ", range_.end));
  }
  const std::shared_ptr<Entry> entry = FollowedEntry(push.replica_id(), push.incarnation());
  absl::MutexLock lock(&entry->mutex());
  absl::ReaderMutexLock snapshot(&snapshot_mutex_);
  if (IsUnderWay(*entry)) ++pushes_partial_;
  entry->push_ = push;
  entry->begun_here_ = true;
  return absl::OkStatus();
}

void PushLedger::Rejected(uint64_t replica_id) {
  const std::shared_ptr<Entry> entry = FollowedEntry(replica_id);
  absl::MutexLock lock(&entry->mutex());
  absl::ReaderMutexLock snapshot(&snapshot_mutex_);
  entry->push_.set_rejected(true);
  ++pushes_rejected_;
}

void PushLedger::set_last_joined(uint64_t replica_id, uint64_t incarnation) {
  absl::MutexLock lock(&map_mutex_);
  joins_known_ = true;
  last_replica_id_ = std::max(last_replica_id_, replica_id);
  last_incarnation_ = std::max(last_incarnation_, incarnation);
}

void PushLedger::set_run_secret(const std::string& run_id, const std::string& run_secret) {
  absl::MutexLock lock(&map_mutex_);
  if (run_id == run_id_ && run_secret == run_secret_) return;
  run_id_ = run_id;
  run_secret_ = run_secret;
  for (auto& [replica_id, known] : replicas_) known.token.clear();
}

absl::Status PushLedger::CheckPlausible(const PushHeader& header, const Entry& entry) const {
  const ReplicaLedgerEntry& last = entry.push();
  const bool follows = entry.begun_here_ && header.incarnation == last.incarnation();
  const uint64_t most = follows ? last.sequence() + limits_.skipped + 1 : kMostSequence;
  if (header.sequence <= std::min(most, kMostSequence)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(Describe(header), ": its last push was ", last.sequence(),
                                                    ", want at most ", std::min(most, kMostSequence)));
}

absl::StatusOr<std::optional<PushOutcome>> PushLedger::Admit(const PushHeader& header, int64_t begin,
                                                             Entry* entry) {
  const ReplicaLedgerEntry& push = entry->push();
  if (header.incarnation < push.incarnation()) {
    return absl::AbortedError(
        absl::StrCat(Describe(header), ": incarnation ", push.incarnation(), " has pushed since"));
  }
  const bool same_incarnation = header.incarnation == push.incarnation();
  const bool begun = same_incarnation && header.sequence == push.sequence();
  if (begun && push.rejected()) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(header), " was rejected before"));
  }
  if (begun && push.late()) return Outcome(*entry);
  const bool applied = begun && static_cast<int64_t>(push.next_key()) == range_.end;
  if (applied || (same_incarnation && header.sequence < push.sequence())) {
    absl::ReaderMutexLock snapshot(&snapshot_mutex_);
    if (begin == range_.begin) ++pushes_duplicate_;  // once a push, at its first chunk
    return PushOutcome{version(), applied ? push.staleness() : 0, true};
  }
  const int64_t next_key = begun ? push.next_key() : range_.begin;
  if (begin > next_key) {
    return absl::OutOfRangeError(
        absl::StrCat(Describe(header), ": chunk begins at key ", begin, ", want ", next_key, " next"));
  }
  if (!begun) {
    RETURN_IF_ERROR(CheckPlausible(header, *entry));
    Begin(header, entry);
  }
  if (push.late()) return Outcome(*entry);
  return std::nullopt;
}

void PushLedger::Begin(const PushHeader& header, Entry* entry) {
  absl::ReaderMutexLock snapshot(&snapshot_mutex_);
  if (IsUnderWay(*entry)) ++pushes_partial_;
  const uint64_t version = version_, updates = rounds_.UpdatesAt(version);
  const uint64_t fetched_updates = rounds_.UpdatesAt(header.fetched_version);
  const bool late = rounds_.IsLate(header.fetched_version, version);
  ReplicaLedgerEntry& push = entry->push_;
  push.set_replica_id(header.replica_id);
  push.set_incarnation(header.incarnation);
  push.set_sequence(header.sequence);
  push.set_next_key(late ? range_.end : range_.begin);
  push.set_rejected(false);
  push.set_plateau_factor(plateau_factor_);
  push.set_staleness(updates > fetched_updates ? updates - fetched_updates : 0);
  push.set_update(updates + 1);
  push.set_late(late);
  entry->begun_here_ = true;
  Log(push.replica_id(), [&](ShardChange* change) { *change->mutable_begun() = push; });
}

void PushLedger::Advance(int64_t key, Entry* entry) {
  entry->push_.set_next_key(key);
  if (key == range_.end) ++version_;
}

absl::Status PushLedger::Reject(const PushHeader& header, absl::string_view why, Entry* entry) {
  uint64_t rejected;
  {
    absl::ReaderMutexLock snapshot(&snapshot_mutex_);
    entry->push_.set_rejected(true);
    rejected = ++pushes_rejected_;
    Log(header.replica_id, [](ShardChange* change) { change->set_rejected(true); });
  }
  const std::string message =
      absl::StrCat(Describe(header), " rejected from key ", entry->push_.next_key(), " on: ", why);
  // A replica whose network has diverged pushes NaN for ever, so not every push is logged.
  if ((rejected & (rejected - 1)) == 0)
    LogWarning("shard ", shard_, ": ", message, " (", rejected, " so far)");
  return absl::InvalidArgumentError(message);
}

absl::Status PushLedger::RejectIfUnderWay(const PushHeader& header, absl::string_view why) {
  std::shared_ptr<Entry> entry;
  {
    absl::MutexLock lock(&map_mutex_);
    RETURN_IF_ERROR(CheckProven(header));
    const auto known = replicas_.find(header.replica_id);
    if (known == replicas_.end()) return absl::InvalidArgumentError(why);
    entry = known->second.entry;
  }
  absl::MutexLock lock(&entry->mutex());
  const bool is_last =
      header.incarnation == entry->push_.incarnation() && header.sequence == entry->push_.sequence();
  return is_last && IsUnderWay(*entry) ? Reject(header, why, entry.get()) : absl::InvalidArgumentError(why);
}

bool PushLedger::IsUnderWay(const Entry& entry) const {
  const ReplicaLedgerEntry& push = entry.push();
  return push.sequence() > 0 && !push.rejected() && static_cast<int64_t>(push.next_key()) < range_.end;
}

absl::Status PushLedger::Restore(const ShardCheckpoint& header) {
  for (const ReplicaLedgerEntry& push : header.ledger()) {
    const auto next_key = static_cast<int64_t>(push.next_key());
    if (push.sequence() < 1 || next_key < range_.begin || next_key > range_.end) {
      return absl::FailedPreconditionError(absl::StrCat(
          "ledger of replica ", push.replica_id(), ": push ", push.sequence(), " applied up to key ",
          push.next_key(), ", want a push from 1 on and a key in [", range_.begin, ", ", range_.end, "]"));
    }
  }
  const absl::Time now = clock_->Now();
  for (const ReplicaLedgerEntry& push : header.ledger()) {
    auto entry = std::make_shared<Entry>();
    {
      absl::MutexLock entry_lock(&entry->mutex());
      entry->push_ = push;
      if (push.update() == 0) entry->push_.set_update(header.version() + 1);
      if (push.plateau_factor() == 0) entry->push_.set_plateau_factor(1);
    }
    absl::MutexLock lock(&map_mutex_);
    Known& known = replicas_[push.replica_id()];
    known.entry = std::move(entry);
    known.incarnation = push.incarnation();
    known.last_chunk = now;
    last_replica_id_ = std::max(last_replica_id_, push.replica_id());
    last_incarnation_ = std::max(last_incarnation_, push.incarnation());
  }
  absl::MutexLock lock(&map_mutex_);
  forgotten_incarnation_ = header.forgotten_incarnation();
  plateau_factor_ = header.plateau_factor() == 0 ? 1 : header.plateau_factor();
  version_ = header.version();
  pushes_duplicate_ = header.pushes_duplicate();
  pushes_rejected_ = header.pushes_rejected();
  pushes_partial_ = header.pushes_partial();
  return absl::OkStatus();
}

// The analysis cannot express that snapshot_mutex_ alone, held exclusively, keeps entries from changing.
void PushLedger::CopyTo(ShardCheckpoint* header) const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  {
    absl::MutexLock lock(&map_mutex_);
    for (const auto& [replica_id, known] : replicas_) {
      if (known.entry->push_.sequence() > 0) *header->add_ledger() = known.entry->push_;
    }
    header->set_forgotten_incarnation(forgotten_incarnation_);
  }
  header->set_plateau_factor(plateau_factor_);
  // The map has no order, but equal shards must give equal bytes.
  std::sort(header->mutable_ledger()->begin(), header->mutable_ledger()->end(),
            [](const auto& a, const auto& b) { return a.replica_id() < b.replica_id(); });
}

}  // namespace downpour
