// Where on the data's way: parameters at rest; writes the container, and checks it when it reads.
#include "server/storage/checkpoint_file.h"

#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/file/crc32c.h"
#include "common/file/file.h"
#include "common/file/mapped_file.h"
#include "common/program/logging.h"
#include "common/status_macros.h"
#include "common/wire/byte_reader.h"

namespace downpour {
namespace {

constexpr absl::string_view kMagic = "DPCKPT01";

// As SyncDirectory() of the folder that holds `path`.
absl::Status SyncDirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return SyncDirectory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

// The next bytes after their number, a `Length`.
template <typename Length>
absl::StatusOr<absl::string_view> Counted(absl::string_view what, ByteReader* reader) {
  ASSIGN_OR_RETURN(const Length size, reader->Number<Length>(absl::StrCat("length of ", what)));
  return reader->Bytes(size, what);
}

absl::Status CheckCrc(absl::string_view bytes, ByteReader* reader) {
  if (reader->left() > sizeof(uint32_t))
    return reader->Error(absl::StrCat(reader->left(), " bytes left, want 4"));
  const uint32_t wanted = Crc32c(bytes.substr(0, reader->offset()));
  ASSIGN_OR_RETURN(const uint32_t seen, reader->Number<uint32_t>("checksum"));
  if (seen == wanted) return absl::OkStatus();
  return reader->Error(absl::StrCat("CRC-32C is ", absl::Hex(seen, absl::kZeroPad8), ", want ",
                                    absl::Hex(wanted, absl::kZeroPad8)));
}

// `storage` owns the memory of `stored`.
absl::StatusOr<CheckpointFile> Parse(absl::string_view stored, std::shared_ptr<const void> storage,
                                     absl::string_view wanted_kind, absl::string_view name) {
  CheckpointFile file;
  file.storage = std::move(storage);
  ByteReader reader(stored, absl::StatusCode::kDataLoss, name);
  if (stored.substr(0, kMagic.size()) != kMagic) {
    return reader.Error(absl::StrCat("not a checkpoint: starts with '",
                                     absl::CHexEscape(stored.substr(0, kMagic.size())), "', want '", kMagic,
                                     "'"));
  }
  RETURN_IF_ERROR(reader.Bytes(kMagic.size(), "magic").status());
  ASSIGN_OR_RETURN(const absl::string_view header, Counted<uint64_t>("header", &reader));
  ASSIGN_OR_RETURN(const absl::string_view kind, Counted<uint32_t>("kind", &reader));
  file.header = std::string(header);
  file.kind = std::string(kind);
  ASSIGN_OR_RETURN(const uint32_t sections, reader.Number<uint32_t>("section count"));
  for (uint32_t i = 0; i < sections; ++i) {
    ASSIGN_OR_RETURN(const absl::string_view section_name, Counted<uint32_t>("section name", &reader));
    ASSIGN_OR_RETURN(const absl::string_view data,
                     Counted<uint64_t>(absl::StrCat("section ", i, " of ", sections), &reader));
    file.sections.push_back({std::string(section_name), data});
  }
  RETURN_IF_ERROR(CheckCrc(stored, &reader));
  if (file.kind != wanted_kind) {
    return absl::DataLossError(
        absl::StrCat(name, ": is a '", absl::CHexEscape(file.kind), "', want a '", wanted_kind, "'"));
  }
  return file;
}

absl::StatusOr<CheckpointFile> ReadGeneration(const std::string& path, absl::string_view wanted_kind) {
  if (const auto mapped = MappedFile::Open(path); mapped.ok()) {
    const absl::string_view stored((*mapped)->data(), (*mapped)->size());
    return Parse(stored, *mapped, wanted_kind, path);
  }
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  return ParseCheckpoint(std::move(bytes), wanted_kind, path);
}

}  // namespace

absl::Status CheckpointFile::SetHeader(const google::protobuf::MessageLite& message) {
  std::string bytes;
  if (!message.SerializeToString(&bytes)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "a ", message.GetTypeName(), " of ", message.ByteSizeLong(), " bytes, want at most 2147483647"));
  }
  kind = message.GetTypeName();
  header = std::move(bytes);
  return absl::OkStatus();
}

absl::Status CheckpointFile::ParseHeader(google::protobuf::MessageLite* message) const {
  if (message->ParseFromString(header)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the header is no ", message->GetTypeName()));
}

absl::StatusOr<absl::string_view> CheckpointFile::Find(absl::string_view name) const {
  for (const Section& section : sections) {
    if (section.name == name) return section.data;
  }
  return absl::DataLossError(absl::StrCat("the ", kind, " has no section '", name, "'"));
}

void CheckpointFile::AddFloats(std::string name, absl::Span<const float> values) {
  sections.push_back(
      {std::move(name), {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}});
}

absl::StatusOr<std::vector<float>> CheckpointFile::Floats(absl::string_view name) const {
  ASSIGN_OR_RETURN(const absl::string_view bytes, Find(name));
  if (bytes.size() % sizeof(float) != 0) {
    return absl::DataLossError(
        absl::StrCat("section '", name, "' has ", bytes.size(), " bytes, want whole float32"));
  }
  return ToElements<float>(bytes);
}

std::string PreviousGeneration(const std::string& path) { return path + ".previous"; }

bool CheckpointExists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) || std::filesystem::exists(PreviousGeneration(path), ignored);
}

absl::Status WriteCheckpointFile(const std::string& path, const CheckpointFile& file, FileReaders readers) {
  std::deque<std::string> numbers;  // a deque does not move its elements when it grows
  std::vector<absl::string_view> pieces = {kMagic};
  const auto add_number = [&](auto value) {
    numbers.emplace_back(BytesOf(value));
    pieces.push_back(numbers.back());
  };
  add_number(static_cast<uint64_t>(file.header.size()));
  pieces.push_back(file.header);
  add_number(static_cast<uint32_t>(file.kind.size()));
  pieces.push_back(file.kind);
  add_number(static_cast<uint32_t>(file.sections.size()));
  for (const CheckpointFile::Section& section : file.sections) {
    add_number(static_cast<uint32_t>(section.name.size()));
    pieces.push_back(section.name);
    add_number(static_cast<uint64_t>(section.data.size()));
    pieces.push_back(section.data);
  }
  uint32_t crc = 0;
  for (absl::string_view piece : pieces) crc = Crc32c(piece, crc);
  add_number(crc);
  RETURN_IF_ERROR(ReplaceFile(path, pieces, PreviousGeneration(path), readers));
  return SyncDirectoryOf(path);
}

absl::StatusOr<CheckpointFile> ReadCheckpointFile(const std::string& path, absl::string_view wanted_kind) {
  absl::StatusOr<CheckpointFile> newest = ReadGeneration(path, wanted_kind);
  const absl::Status& status = newest.status();
  if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) return newest;
  absl::StatusOr<CheckpointFile> previous = ReadGeneration(PreviousGeneration(path), wanted_kind);
  if (absl::IsNotFound(previous.status())) return newest;
  if (!previous.ok())
    return absl::Status(status.code(), absl::StrCat(status.message(), "; ", previous.status().message()));
  LogWarning(status.message(), "; the generation before it is used, ", PreviousGeneration(path));
  if (absl::IsDataLoss(status)) std::rename(path.c_str(), (path + ".damaged").c_str());
  return previous;
}

absl::StatusOr<CheckpointFile> ParseCheckpoint(std::string bytes, absl::string_view wanted_kind,
                                               absl::string_view name) {
  const auto storage = std::make_shared<const std::string>(std::move(bytes));
  return Parse(*storage, storage, wanted_kind, name);
}

}  // namespace downpour
