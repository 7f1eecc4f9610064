// Where on the data's way: from the corpus maker to disk; each entry is made in memory, then written.
#include "deploy/corpus/kaldi_writer.h"

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

static_assert(std::endian::native == std::endian::little, "Kaldi archives are little-endian");

namespace downpour {
namespace {

absl::Status WriteError(const std::string& path, int error) {
  const std::string message = absl::StrCat(path, ": cannot be written: ", std::strerror(error));
  return error == ENOSPC ? absl::ResourceExhaustedError(message) : absl::UnavailableError(message);
}

void AppendInt32(int32_t value, std::string* bytes) {
  bytes->push_back(4);
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArchiveWriter>> ArchiveWriter::Create(const std::string& path,
                                                                     const std::string& scp_path,
                                                                     const std::string& name_in_scp) {
  std::unique_ptr<ArchiveWriter> writer(new ArchiveWriter);
  writer->path_ = path;
  writer->scp_path_ = scp_path;
  writer->name_in_scp_ = name_in_scp.empty() ? path : name_in_scp;
  writer->archive_ = std::fopen(path.c_str(), "wb");
  if (writer->archive_ == nullptr) return WriteError(path, errno);
  if (!scp_path.empty()) {
    writer->scp_ = std::fopen(scp_path.c_str(), "wb");
    if (writer->scp_ == nullptr) return WriteError(scp_path, errno);
  }
  return writer;
}

ArchiveWriter::~ArchiveWriter() { Close().IgnoreError(); }

absl::Status ArchiveWriter::Close() {
  absl::Status status;
  if (archive_ != nullptr && std::fclose(std::exchange(archive_, nullptr)) != 0)
    status.Update(WriteError(path_, errno));
  if (scp_ != nullptr && std::fclose(std::exchange(scp_, nullptr)) != 0)
    status.Update(WriteError(scp_path_, errno));
  return status;
}

absl::Status ArchiveWriter::WriteEntry(absl::string_view key, absl::string_view object) {
  DOWNPOUR_CHECK(archive_ != nullptr);
  if (key.empty() || key.find_first_of(" \t\r\n\v\f") != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": key \"", key, "\", want at least one character and no white space"));
  }
  const std::string head = absl::StrCat(key, " ");
  const int64_t object_offset = offset_ + static_cast<int64_t>(head.size());
  if (std::fwrite(head.data(), 1, head.size(), archive_) != head.size() ||
      std::fwrite(object.data(), 1, object.size(), archive_) != object.size()) {
    return WriteError(path_, errno);
  }
  offset_ = object_offset + static_cast<int64_t>(object.size());
  if (scp_ == nullptr) return absl::OkStatus();
  const std::string line = absl::StrCat(head, name_in_scp_, ":", object_offset, "\n");
  if (std::fwrite(line.data(), 1, line.size(), scp_) != line.size()) return WriteError(scp_path_, errno);
  return absl::OkStatus();
}

absl::Status ArchiveWriter::WriteMatrix(absl::string_view key, int64_t cols, absl::Span<const float> values) {
  DOWNPOUR_CHECK(cols > 0 && values.size() % cols == 0);
  std::string object("\0BFM ", 5);
  AppendInt32(static_cast<int32_t>(values.size() / cols), &object);
  AppendInt32(static_cast<int32_t>(cols), &object);
  object.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return WriteEntry(key, object);
}

absl::Status ArchiveWriter::WriteIntVector(absl::string_view key, absl::Span<const int32_t> values) {
  std::string object("\0B", 2);
  AppendInt32(static_cast<int32_t>(values.size()), &object);
  for (const int32_t value : values) AppendInt32(value, &object);
  return WriteEntry(key, object);
}

}  // namespace downpour
