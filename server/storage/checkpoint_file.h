// Where on the data's way: parameters at rest; the container of shard, coordinator and cluster checkpoints.
#ifndef DOWNPOUR_SERVER_STORAGE_CHECKPOINT_FILE_H_
#define DOWNPOUR_SERVER_STORAGE_CHECKPOINT_FILE_H_

#include <google/protobuf/message_lite.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/file/file.h"

namespace downpour {

// Layout, little-endian:
//   "DPCKPT01"                      magic and format version
//   u64 header bytes, header        a serialised message of checkpoint.proto; `kind` says which
//   u32 kind bytes, kind
//   u32 section count, then per section: u32 name bytes, name, u64 data bytes, data
//   u32 CRC-32C of all before it
//
// For example header "\x10\x07" (a ShardCheckpoint whose field 2, shard, is 7), kind "K" and one section "x"
// that holds the float32 1.0 (3f800000):
//   00  44 50 43 4b 50 54 30 31                     D P C K P T 0 1
//   08  02 00 00 00 00 00 00 00  10 07              2 bytes of header
//   12  01 00 00 00  4b                             1 byte of kind: K
//   17  01 00 00 00                                 1 section
//   1b  01 00 00 00  78                             1 byte of name: x
//   20  04 00 00 00 00 00 00 00  00 00 80 3f        4 bytes of data
//   2c  fe 77 d0 40                                 CRC-32C of the 44 bytes above
struct CheckpointFile {
  std::string kind;    // full message name, e.g. "downpour.ShardCheckpoint"
  std::string header;  // serialised
  struct Section {
    std::string name;
    absl::string_view data;  // refers to memory of the caller (writing) or to `storage` (reading)
  };
  std::vector<Section> sections;
  std::shared_ptr<const void> storage;  // shared by copies

  // Makes the message the header and its name the kind. RESOURCE_EXHAUSTED: it has more than the 2 GiB that
  // protobuf serialises; the file is as before.
  absl::Status SetHeader(const google::protobuf::MessageLite& message);
  // DATA_LOSS: the header is no such message.
  absl::Status ParseHeader(google::protobuf::MessageLite* message) const;

  // DATA_LOSS: no section of that name.
  absl::StatusOr<absl::string_view> Find(absl::string_view name) const;

  // A section of float32 that refers to `values`.
  void AddFloats(std::string name, absl::Span<const float> values);
  // DATA_LOSS: no section of that name, or one that is not whole float32.
  absl::StatusOr<std::vector<float>> Floats(absl::string_view name) const;
};

// Copies `bytes`, of any alignment, as elements; bytes behind the last whole element are left out.
template <typename Element>
std::vector<Element> ToElements(absl::string_view bytes) {
  std::vector<Element> elements(bytes.size() / sizeof(Element));
  if (!elements.empty()) std::memcpy(elements.data(), bytes.data(), elements.size() * sizeof(Element));
  return elements;
}

// A checkpoint has two generations: `path`, and the one before it, kept until the next is written.
std::string PreviousGeneration(const std::string& path);  // <path>.previous
bool CheckpointExists(const std::string& path);           // either of them

// Writes as ReplaceFile() of common/file/file.h, with its statuses, and syncs the directory: a full disk or a
// crash leaves the old file as it was. The old file becomes the previous generation. While it writes, the
// disk holds three files. Two threads must not write one path at once.
absl::Status WriteCheckpointFile(const std::string& path, const CheckpointFile& file,
                                 FileReaders readers = FileReaders::kEverybody);

// The newest generation that is whole. If that is the previous one, it says so in the log, and renames a
// damaged newest to <path>.damaged, so that the next write does not take that for a generation. The sections
// refer to the file, which is mapped where that is possible, so that memory need not hold it. Statuses, of
// the newest where no generation is whole: NOT_FOUND, UNAVAILABLE: as ReadFile() of common/file/file.h.
// DATA_LOSS: truncated, wrong magic, wrong checksum, or `kind` is not `wanted_kind`; the message names file,
// byte offset, value seen and value wanted.
absl::StatusOr<CheckpointFile> ReadCheckpointFile(const std::string& path, absl::string_view wanted_kind);
// The same from memory; `name` stands for the file in messages. Takes any bytes.
absl::StatusOr<CheckpointFile> ParseCheckpoint(std::string bytes, absl::string_view wanted_kind,
                                               absl::string_view name);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_STORAGE_CHECKPOINT_FILE_H_
