// Where on the data's way: parameters at rest; checkpoint files of any bytes, up to the shard they restore.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/checkpoint_file.h"
#include "common/crc32c.h"
#include "common/parameter_layout.h"
#include "server/checkpointer.h"
#include "server/parameter_shard.h"

namespace downpour {
namespace {

constexpr absl::string_view kKind = "downpour.ShardCheckpoint";

// Into the shard that the seeds are of.
void Restore(const std::string& bytes) {
  const absl::StatusOr<CheckpointFile> file = ParseCheckpoint(bytes, kKind, "fuzz");
  ShardCheckpoint header;
  if (!file.ok() || !header.ParseFromString(file->header)) return;
  const absl::StatusOr<ShardSnapshot> snapshot = SnapshotFromSections(*file, "", std::move(header));
  if (!snapshot.ok()) return;
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"layer0/weights", {2, 2}}, {"layer0/bias", {2}}});
  options.run = {"seed", options.layout.fingerprint()};
  options.range = {0, options.layout.size()};
  options.optimizer = snapshot->header.optimizer();
  const auto shard = ParameterShard::Restore(options, *snapshot);
  if (!shard.ok()) return;
  DOWNPOUR_CHECK((*shard)->Snapshot().parameters.size() == 6);
  const float gradient[] = {1, 1, 1, 1, 1, 1};
  (*shard)->ApplyChunk({7, 1, 1, 0}, 0, gradient).IgnoreError();
}

}  // namespace
}  // namespace downpour

// As they are, and with the checksum that lets them through.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  static google::protobuf::LogSilencer no_complaints_about_utf8;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Restore(bytes);
  if (size < sizeof(uint32_t)) return 0;
  bytes.resize(size - sizeof(uint32_t));
  const uint32_t crc = Crc32c(bytes);
  bytes.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
  Restore(bytes);
  return 0;
}
