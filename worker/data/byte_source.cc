// Where on the data's way: from a file or memory to the readers; zlib reads plain and gzipped files alike.
#include "worker/data/byte_source.h"

#include <sys/stat.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

constexpr int64_t kBufferBytes = 1 << 16;
// Deflate makes at most 258 bytes out of 2 bits.
constexpr int64_t kMostInflation = 1032;

gzFile Gz(void* file) { return static_cast<gzFile>(file); }

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> ByteSource::Open(const std::string& path) {
  std::unique_ptr<ByteSource> source(new ByteSource(path));
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    errno = EISDIR;
    if (!S_ISDIR(info.st_mode)) source->file_ = gzopen(path.c_str(), "rbe");
  }
  if (source->file_ == nullptr) {
    const int error = errno;
    const std::string message = absl::StrCat(path, ": ", std::strerror(error));
    return error == ENOENT || error == ENOTDIR ? absl::NotFoundError(message)
                                               : absl::UnavailableError(message);
  }
  source->compressed_ = gzdirect(Gz(source->file_)) == 0;
  source->most_bytes_ = source->compressed_ ? (info.st_size + 1) * kMostInflation : info.st_size;
  return source;
}

std::unique_ptr<ByteSource> ByteSource::FromMemory(std::string bytes, std::string name) {
  std::unique_ptr<ByteSource> source(new ByteSource(std::move(name)));
  source->most_bytes_ = static_cast<int64_t>(bytes.size());
  source->buffer_ = std::move(bytes);
  return source;
}

ByteSource::~ByteSource() {
  if (file_ != nullptr) gzclose(Gz(file_));
}

absl::Status ByteSource::Error(absl::StatusCode code, int64_t at, absl::string_view what) const {
  if (!failure_.ok()) return failure_;
  return absl::Status(code, absl::StrCat(name_, ": byte ", at, ": ", what));
}

int64_t ByteSource::ReadFile(void* to, int64_t size) {
  if (file_ == nullptr || !failure_.ok()) return 0;
  const int got = gzread(Gz(file_), to, static_cast<unsigned>(std::min<int64_t>(size, 1 << 30)));
  int code = Z_OK;
  const char* message = gzerror(Gz(file_), &code);
  bytes_passed_ += std::max(got, 0);
  // A gzip stream that stops short gives Z_BUF_ERROR, even if some bytes came.
  if (got >= 0 && (code == Z_OK || code == Z_STREAM_END)) return got;
  failure_ = Error(code == Z_ERRNO ? absl::StatusCode::kUnavailable : absl::StatusCode::kDataLoss, position(),
                   code == Z_ERRNO ? std::strerror(errno) : message);
  return std::max(got, 0);
}

bool ByteSource::Fill() {
  if (file_ == nullptr) return false;
  buffer_start_ = position();
  next_ = 0;
  buffer_.resize(kBufferBytes);
  buffer_.resize(ReadFile(buffer_.data(), kBufferBytes));
  return !buffer_.empty();
}

int ByteSource::Peek() {
  if (next_ == buffer_.size() && !Fill()) return -1;
  return static_cast<unsigned char>(buffer_[next_]);
}

int ByteSource::Get() {
  const int byte = Peek();
  if (byte >= 0) ++next_;
  return byte;
}

int64_t ByteSource::ReadUpTo(int64_t size, void* to) {
  char* out = static_cast<char*>(to);
  int64_t left = size;
  while (left > 0) {
    if (next_ == buffer_.size() && file_ != nullptr && left >= kBufferBytes) {
      const int64_t got = ReadFile(out, left);
      buffer_start_ += static_cast<int64_t>(next_) + got;
      next_ = 0;
      buffer_.clear();
      if (got == 0) break;
      out += got;
      left -= got;
      continue;
    }
    if (Peek() < 0) break;
    const int64_t take = std::min<int64_t>(left, static_cast<int64_t>(buffer_.size() - next_));
    std::memcpy(out, buffer_.data() + next_, take);
    next_ += take;
    out += take;
    left -= take;
  }
  return size - left;
}

absl::Status ByteSource::Truncated(int64_t begin, int64_t wanted, int64_t got) const {
  return Error(absl::StatusCode::kDataLoss, begin,
               absl::StrCat("truncated, want ", wanted, " bytes, the file has ", got, " more"));
}

absl::Status ByteSource::Read(int64_t size, void* to) {
  const int64_t begin = position();
  const int64_t got = ReadUpTo(size, to);
  return got == size ? absl::OkStatus() : Truncated(begin, size, got);
}

absl::Status ByteSource::Seek(int64_t position) {
  if (position >= 0 && position <= most_bytes_) {
    if (file_ == nullptr) {
      next_ = position;
      return absl::OkStatus();
    }
    if (position >= buffer_start_ && position - buffer_start_ <= static_cast<int64_t>(buffer_.size())) {
      next_ = position - buffer_start_;
      return absl::OkStatus();
    }
    const int64_t at = buffer_start_ + static_cast<int64_t>(buffer_.size());
    if (gzseek(Gz(file_), position, SEEK_SET) == position) {
      if (compressed_) bytes_passed_ += position >= at ? position - at : position;
      buffer_.clear();
      next_ = 0;
      buffer_start_ = position;
      return absl::OkStatus();
    }
  }
  return Error(absl::StatusCode::kDataLoss, position,
               absl::StrCat("no such place: the file has at most ", most_bytes_, " bytes"));
}

}  // namespace downpour
