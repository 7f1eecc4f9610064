// Where on the data's way: parameters at rest; copies each new range out of the old ones that have its keys.
#include "server/shard/recut.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/layout/shard_map.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "common/wire/serialize.h"
#include "server/shard/checkpointer.h"
#include "server/shard/shard_start.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kReady = "recut-";  // then the number of files in it, all of them new and whole

// What all shards of a run have in common.
std::string Common(const ShardSnapshot& shard) {
  const ShardCheckpoint& header = shard.header;
  ShardCheckpoint common;
  *common.mutable_run() = header.run();
  *common.mutable_optimizer() = header.optimizer();
  *common.mutable_warm_start() = header.warm_start();
  *common.mutable_layout() = header.layout();
  common.set_round_pushes(header.round_pushes());
  return SerializeSmall(common);
}

absl::Status CheckWhole(const std::vector<ShardSnapshot>& shards) {
  uint64_t at = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const ShardCheckpoint& header = shards[i].header;
    if (header.begin() != at || Common(shards[i]) != Common(shards[0])) {
      return absl::FailedPreconditionError(absl::StrCat(
          "shard ", i, " has keys [", header.begin(), ", ", header.end(), ") of run '", header.run().run_id(),
          "', want keys from ", at, " on, and run, layout and optimizer of shard 0"));
    }
    at = header.end();
  }
  uint64_t elements = 0;
  for (const TensorShape& tensor : shards[0].header.layout()) {
    uint64_t size = 1;
    for (const int64_t dimension : tensor.shape()) size *= dimension;
    elements += size;
  }
  if (at == elements) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(shards.size(), " shards end at key ", at, ", want all of the run's, to key ", elements));
}

bool IsNewer(const ReplicaLedgerEntry& a, const ReplicaLedgerEntry& b) {
  return std::pair(a.incarnation(), a.sequence()) > std::pair(b.incarnation(), b.sequence());
}

// Makes the ledger of a shard that takes keys of the shards `parts`, as recut.h says. Returns how many pushes
// are given up by that.
uint64_t MergeLedgers(const std::vector<const ShardSnapshot*>& parts, ShardCheckpoint* merged) {
  std::map<uint64_t, ReplicaLedgerEntry> newest;  // by replica
  for (const ShardSnapshot* part : parts) {
    for (const ReplicaLedgerEntry& entry : part->header.ledger()) {
      const auto [known, inserted] = newest.emplace(entry.replica_id(), entry);
      if (!inserted && IsNewer(entry, known->second)) known->second = entry;
    }
  }
  uint64_t given_up = 0;
  for (auto& known : newest) {
    const uint64_t id = known.first;
    ReplicaLedgerEntry& entry = known.second;
    const auto is_complete = [&](const ShardSnapshot* part) {
      return std::any_of(
          part->header.ledger().begin(), part->header.ledger().end(), [&](const ReplicaLedgerEntry& other) {
            return other.replica_id() == id && !IsNewer(entry, other) &&
                   (other.rejected() || other.next_key() >= std::min(part->header.end(), merged->end()));
          });
    };
    if (!std::all_of(parts.begin(), parts.end(), is_complete)) ++given_up;
    entry.set_next_key(merged->end());
    *merged->add_ledger() = entry;
  }
  return given_up;
}

ShardSnapshot Cut(const std::vector<ShardSnapshot>& old, uint32_t shard, KeyRange range) {
  std::vector<const ShardSnapshot*> parts;
  ShardSnapshot cut;
  cut.state.resize(old[0].state.size());
  for (const ShardSnapshot& part : old) {
    const auto part_begin = static_cast<int64_t>(part.header.begin());
    const int64_t begin = std::max(range.begin, part_begin);
    const int64_t end = std::min(range.end, static_cast<int64_t>(part.header.end()));
    if (begin >= end) continue;
    parts.push_back(&part);
    const auto append = [&](const std::vector<float>& from, std::vector<float>* to) {
      to->insert(to->end(), from.begin() + (begin - part_begin), from.begin() + (end - part_begin));
    };
    append(part.parameters, &cut.parameters);
    for (size_t i = 0; i < cut.state.size(); ++i) append(part.state[i], &cut.state[i]);
  }
  ShardCheckpoint& header = cut.header;
  header = parts[0]->header;
  header.set_shard(shard);
  header.set_begin(range.begin);
  header.set_end(range.end);
  header.clear_ledger();
  header.clear_pushes_duplicate();
  header.clear_pushes_rejected();
  header.clear_pushes_partial();
  for (const ShardSnapshot* part : parts) {
    header.set_version(std::max(header.version(), part->header.version()));
    header.set_forgotten_incarnation(
        std::max(header.forgotten_incarnation(), part->header.forgotten_incarnation()));
    header.set_plateau_factor(std::min(header.plateau_factor(), part->header.plateau_factor()));
    // An old shard's counts go on with its first key, so that their sums stay.
    if (static_cast<int64_t>(part->header.begin()) < range.begin) continue;
    header.set_pushes_duplicate(header.pushes_duplicate() + part->header.pushes_duplicate());
    header.set_pushes_rejected(header.pushes_rejected() + part->header.pushes_rejected());
    header.set_pushes_partial(header.pushes_partial() + part->header.pushes_partial());
  }
  header.set_pushes_partial(header.pushes_partial() + MergeLedgers(parts, &header));
  return cut;
}

// Takes the files of <directory>/recut-<number> in place of the old ones, if there is such a folder.
absl::Status FinishRecut(const std::string& directory) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view number = name;
    uint32_t shards = 0;
    if (!absl::ConsumePrefix(&number, kReady) || !absl::SimpleAtoi(number, &shards)) continue;
    for (uint32_t shard = 0; !error; ++shard) {
      const std::string path = ShardCheckpointPath(directory, shard);
      const std::string made = ShardCheckpointPath(entry.path().string(), shard);
      if (shard >= shards && !CheckpointExists(path)) break;
      fs::remove(PreviousGeneration(path), error);
      if (shard >= shards) fs::remove(path, error);
      if (shard < shards && CheckpointExists(made)) fs::rename(made, path, error);
    }
    if (!error) RETURN_IF_ERROR(SyncDirectory(directory));
    if (!error) fs::remove(entry.path(), error);
    break;
  }
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot re-cut ", directory, ": ", error.message()));
}

}  // namespace

absl::StatusOr<std::vector<ShardSnapshot>> Recut(const std::vector<ShardSnapshot>& old, int shards) {
  if (old.empty()) return absl::FailedPreconditionError("no shards to re-cut");
  RETURN_IF_ERROR(CheckWhole(old));
  ASSIGN_OR_RETURN(const ShardMap map,
                   ShardMap::Create(static_cast<int64_t>(old.back().header.end()), shards));
  std::vector<ShardSnapshot> cut;
  cut.reserve(shards);
  for (int shard = 0; shard < shards; ++shard)
    cut.push_back(Cut(old, static_cast<uint32_t>(shard), map.range(shard)));
  return cut;
}

absl::Status RecutCheckpoints(const std::string& directory, int shards) {
  RETURN_IF_ERROR(FinishRecut(directory));
  std::vector<ShardClaim> claims;
  std::vector<ShardSnapshot> old;
  for (uint32_t shard = 0; CheckpointExists(ShardCheckpointPath(directory, shard)); ++shard) {
    ASSIGN_OR_RETURN(ShardClaim claim, ClaimShard(directory, shard));
    claims.push_back(std::move(claim));
    ASSIGN_OR_RETURN(old.emplace_back(), LoadShardSnapshot(ShardCheckpointPath(directory, shard)));
  }
  if (old.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no ", ShardCheckpointPath(directory, 0), ", want the checkpoints of all shards there"));
  }
  ASSIGN_OR_RETURN(const std::vector<ShardSnapshot> cut, Recut(old, shards));
  if (old.size() == cut.size()) return absl::OkStatus();
  const std::string partial = directory + "/recut.partial";
  std::error_code error;
  fs::remove_all(partial, error);
  fs::create_directory(partial, error);
  for (const ShardSnapshot& shard : cut)
    RETURN_IF_ERROR(SaveShardSnapshot(ShardCheckpointPath(partial, shard.header.shard()), shard));
  fs::rename(partial, absl::StrCat(directory, "/", kReady, shards), error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot rename ", partial, ": ", error.message()));
  RETURN_IF_ERROR(SyncDirectory(directory));
  LogInfo("the checkpoints of ", old.size(), " shards in ", directory, " are re-cut to ", shards);
  return FinishRecut(directory);
}

}  // namespace downpour
