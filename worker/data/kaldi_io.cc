// Where on the data's way: from Kaldi's archives on disk; parses entries, int32 vectors and scp lines.
#include "worker/data/kaldi_io.h"

#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "worker/data/kaldi_matrix.h"

namespace downpour {
namespace {

using absl::StatusCode;

constexpr size_t kMostKeyBytes = 4096;

// Consumes "\0B" if it is there. False: the object is text.
absl::StatusOr<bool> IsBinary(ByteSource* bytes) {
  if (bytes->Peek() != 0) return false;
  const int64_t at = bytes->position();
  bytes->Get();
  const int second = bytes->Get();
  if (second == 'B') return true;
  return bytes->Error(second < 0 ? StatusCode::kDataLoss : StatusCode::kInvalidArgument, at,
                      second < 0 ? "truncated, want \"\\0B\"" : "\"\\0\" without \"B\": not a Kaldi object");
}

absl::Status ReadBinaryIntVector(ByteSource* bytes, std::vector<int32_t>* values) {
  const int64_t at = bytes->position();
  const int size_byte = bytes->Get();
  if (size_byte >= 0 && size_byte != 4) {
    return bytes->Error(StatusCode::kInvalidArgument, at,
                        absl::StrCat("object begins with byte ", size_byte,
                                     ", want 4, an int32 vector (a matrix begins with a letter)"));
  }
  int32_t size = 0;
  RETURN_IF_ERROR(bytes->Read(sizeof(size), &size));
  constexpr int64_t kElementBytes = 5;
  if (size < 0 || size > kMostObjectValues || size * kElementBytes > bytes->most_left()) {
    return bytes->Error(StatusCode::kDataLoss, at,
                        absl::StrCat("int32 vector of ", size, " elements needs ", size * kElementBytes,
                                     " bytes: at most ", bytes->most_left(), " follow"));
  }
  std::vector<char> elements;
  const int64_t elements_at = bytes->position();
  RETURN_IF_ERROR(bytes->ReadVector(size * kElementBytes, &elements));
  values->resize(size);
  for (int64_t i = 0; i < size; ++i) {
    const char* element = elements.data() + i * kElementBytes;
    if (element[0] != 4) {
      return bytes->Error(
          StatusCode::kDataLoss, elements_at + i * kElementBytes,
          absl::StrCat("size byte ", static_cast<unsigned char>(element[0]), " of element ", i, ", want 4"));
    }
    std::memcpy(&(*values)[i], element + 1, sizeof(int32_t));
  }
  return absl::OkStatus();
}

absl::Status ReadTextIntVector(ByteSource* bytes, std::vector<int32_t>* values) {
  values->clear();
  for (;;) {
    SkipBlanks(bytes);
    const int next = bytes->Peek();
    // Without a line end the last number may be cut short.
    if (next < 0) return bytes->Error(StatusCode::kDataLoss, bytes->position(), "truncated, want a line end");
    if (next == '\n') return absl::OkStatus();
    const int64_t at = bytes->position();
    const std::string token = next == ']' ? "]" : ReadTextToken(bytes);
    int32_t value = 0;
    if (!absl::SimpleAtoi(token, &value)) {
      return bytes->Error(StatusCode::kInvalidArgument, at,
                          absl::StrCat("\"", absl::CHexEscape(token), "\", want an int32 vector"));
    }
    values->push_back(value);
  }
}

// `directory` is the scp's, with a '/' at its end.
std::string FindArchive(const std::string& directory, const std::string& given) {
  if (given.front() == '/') return given;
  const std::string beside = directory + given;
  const bool bare = given.find('/') == std::string::npos;
  const std::string& first = bare ? beside : given;
  const std::string& second = bare ? given : beside;
  return access(first.c_str(), F_OK) == 0 || access(second.c_str(), F_OK) != 0 ? first : second;
}

absl::StatusOr<ScpEntry> ParseScpLine(absl::string_view line) {
  ScpEntry entry;
  const size_t key_end = line.find_first_of(" \t");
  entry.key = std::string(line.substr(0, key_end));
  absl::string_view place = absl::StripAsciiWhitespace(
      key_end == absl::string_view::npos ? absl::string_view() : line.substr(key_end));
  if (entry.key.empty() || place.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(line), "\", want \"key archive:offset\""));
  }
  const char last = place.back();
  if (last == '|' || place.front() == '|' || place == "-" || last == ']') {
    return absl::UnimplementedError(absl::StrCat("\"", absl::CHexEscape(place),
                                                 "\": pipes, standard input and row ranges are not read; "
                                                 "copy the features to an archive (copy-feats)"));
  }
  if (const size_t colon = place.rfind(':'); colon != absl::string_view::npos) {
    const absl::string_view offset = place.substr(colon + 1);
    if (!offset.empty() && offset.find_first_not_of("0123456789") == absl::string_view::npos) {
      if (!absl::SimpleAtoi(offset, &entry.offset))
        return absl::InvalidArgumentError(absl::StrCat("offset ", offset, ", want one below 2^63"));
      place = place.substr(0, colon);
    }
  }
  if (place.empty())
    return absl::InvalidArgumentError("an offset without an archive, want \"key archive:offset\"");
  entry.path = std::string(place);
  return entry;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArchiveReader>> ArchiveReader::Open(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> bytes, ByteSource::Open(path));
  return std::make_unique<ArchiveReader>(std::move(bytes));
}

absl::StatusOr<bool> ArchiveReader::NextKey(std::string* key) {
  while (bytes_->Peek() >= 0 && absl::ascii_isspace(bytes_->Peek())) bytes_->Get();
  const int64_t at = bytes_->position();
  key->clear();
  for (;;) {
    const int next = bytes_->Peek();
    if (next < 0) {
      if (key->empty() && bytes_->failure().ok()) return false;
      return bytes_->Error(StatusCode::kDataLoss, at,
                           absl::StrCat("truncated: key \"", absl::CHexEscape(*key), "\" without an object"));
    }
    if (next == '\n') break;
    bytes_->Get();
    if (next == ' ' || next == '\t') break;
    key->push_back(static_cast<char>(next));
    if (next == 0 || key->size() > kMostKeyBytes) {
      return bytes_->Error(StatusCode::kInvalidArgument, at,
                           absl::StrCat("\"", absl::CHexEscape(key->substr(0, 32)),
                                        "\", want a key and a space; not a Kaldi archive"));
    }
  }
  return true;
}

absl::Status ArchiveReader::ReadMatrix(FloatMatrix* matrix) {
  ASSIGN_OR_RETURN(const bool binary, IsBinary(bytes_.get()));
  return binary ? ReadBinaryMatrix(bytes_.get(), matrix) : ReadTextMatrix(bytes_.get(), matrix);
}

absl::Status ArchiveReader::ReadIntVector(std::vector<int32_t>* values) {
  ASSIGN_OR_RETURN(const bool binary, IsBinary(bytes_.get()));
  return binary ? ReadBinaryIntVector(bytes_.get(), values) : ReadTextIntVector(bytes_.get(), values);
}

absl::StatusOr<std::vector<ScpEntry>> ParseScp(absl::string_view text, absl::string_view name) {
  std::vector<ScpEntry> entries;
  int64_t line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    absl::StatusOr<ScpEntry> entry = ParseScpLine(line);
    if (!entry.ok()) {
      return absl::Status(entry.status().code(),
                          absl::StrCat(name, ":", line_number, ": ", entry.status().message()));
    }
    entry->line = line_number;
    entries.push_back(*std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::vector<ScpEntry>> ReadScp(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(std::vector<ScpEntry> entries, ParseScp(text, path));
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  std::string last_given;
  std::string last_taken;
  for (ScpEntry& entry : entries) {
    if (entry.path != last_given) {
      last_given = entry.path;
      last_taken = FindArchive(directory, entry.path);
    }
    entry.path = last_taken;
  }
  return entries;
}

}  // namespace downpour
