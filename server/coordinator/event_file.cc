// Where on the data's way: from the coordinator to the run folder; frames events with masked checksums.
#include "server/coordinator/event_file.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/file/crc32c.h"
#include "common/status_macros.h"
#include "common/wire/byte_reader.h"
#include "common/wire/serialize.h"

namespace downpour {

uint32_t MaskedCrc32c(absl::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

std::string EventRecord(const tensorboard::Event& event) {
  const std::string data = SerializeSmall(event);
  const uint64_t length = data.size();
  const uint32_t length_crc = MaskedCrc32c(BytesOf(length)), data_crc = MaskedCrc32c(data);
  return absl::StrCat(BytesOf(length), BytesOf(length_crc), data, BytesOf(data_crc));
}

absl::StatusOr<AppendFile> OpenEventFile(const std::string& folder, absl::Time now, int64_t first_step) {
  int64_t seconds = absl::ToUnixSeconds(now);
  const auto path = [&] { return absl::StrCat(folder, "/events.out.tfevents.", seconds, ".downpour"); };
  std::error_code ignored;
  while (std::filesystem::exists(path(), ignored)) ++seconds;
  ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(path(), 0));

  tensorboard::Event event;
  event.set_wall_time(absl::ToDoubleSeconds(now - absl::UnixEpoch()));
  event.set_file_version("brain.Event:2");
  file.Append(EventRecord(event));
  event.set_step(first_step);
  event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  file.Append(EventRecord(event));
  return file;
}

}  // namespace downpour
