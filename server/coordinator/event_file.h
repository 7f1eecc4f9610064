// Where on the data's way: from the coordinator to the run folder; the accuracy curve for TensorBoard.
#ifndef DOWNPOUR_SERVER_COORDINATOR_EVENT_FILE_H_
#define DOWNPOUR_SERVER_COORDINATOR_EVENT_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/tensorboard_event.pb.h"
#include "server/storage/append_file.h"

namespace downpour {

// TensorFlow's masked CRC-32C, which suits bytes that themselves hold checksums.
uint32_t MaskedCrc32c(absl::string_view bytes);

// A TFRecord, little-endian: u64 length, u32 masked CRC of it, the serialised event, u32 masked CRC of that.
std::string EventRecord(const tensorboard::Event& event);

// Opens <folder>/events.out.tfevents.<seconds since 1970>.downpour (a later second if that file exists) and
// appends its first records: file_version "brain.Event:2", and a session start that voids the events of
// `first_step` and later in older files of the folder. Statuses as AppendFile::Open.
absl::StatusOr<AppendFile> OpenEventFile(const std::string& folder, absl::Time now, int64_t first_step);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_EVENT_FILE_H_
