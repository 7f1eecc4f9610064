// Where on the data's way: from Kaldi's archives on disk; parses entries and int32 vectors.
#include "worker/data/kaldi_io.h"

#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
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

absl::Status ReadTextIntVector(ByteSource* bytes, std::vector<int32_t>* values, bool* lacks_line_end) {
  values->clear();
  for (;;) {
    SkipBlanks(bytes);
    const int next = bytes->Peek();
    *lacks_line_end = next < 0;
    if (next < 0 && (values->empty() || !bytes->failure().ok()))
      return bytes->Error(StatusCode::kDataLoss, bytes->position(), "truncated, want a line end");
    if (next < 0 || next == '\n') return absl::OkStatus();
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
  if (at == 0 && absl::StartsWith(*key, kByteOrderMark)) key->erase(0, kByteOrderMark.size());
  return true;
}

absl::Status ArchiveReader::ReadMatrix(FloatMatrix* matrix) {
  ASSIGN_OR_RETURN(const bool binary, IsBinary(bytes_.get()));
  return binary ? ReadBinaryMatrix(bytes_.get(), matrix) : ReadTextMatrix(bytes_.get(), matrix);
}

absl::Status ArchiveReader::ReadIntVector(std::vector<int32_t>* values) {
  ASSIGN_OR_RETURN(const bool binary, IsBinary(bytes_.get()));
  lacks_line_end_ = false;
  return binary ? ReadBinaryIntVector(bytes_.get(), values)
                : ReadTextIntVector(bytes_.get(), values, &lacks_line_end_);
}

}  // namespace downpour
