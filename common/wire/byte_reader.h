// Where on the data's way: the wire and files at rest; takes numbers and strings off the front of bytes.
#ifndef DOWNPOUR_COMMON_WIRE_BYTE_READER_H_
#define DOWNPOUR_COMMON_WIRE_BYTE_READER_H_

#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {

static_assert(std::endian::native == std::endian::little,
              "numbers and tensors are copied as they are in memory");

// The bytes of a number as ByteReader::Number() reads them; they are those of `number` itself.
template <typename T>
absl::string_view BytesOf(const T& number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

// Reads `bytes` from the front, and never past their end, whatever the lengths in them say. Its errors have
// the status code `code` and begin with `name` and how far it has read. A value; not thread-safe.
class ByteReader {
 public:
  // The memory of `bytes` and `name` is the caller's and must outlive the reader.
  ByteReader(absl::string_view bytes, absl::StatusCode code, absl::string_view name)
      : bytes_(bytes), code_(code), name_(name) {}

  // The next `size` bytes, in the caller's memory. Error(): fewer are left, and none is taken. `what` says in
  // the message what they are, e.g. "header".
  absl::StatusOr<absl::string_view> Bytes(uint64_t size, absl::string_view what) {
    if (size > left()) return Error(absl::StrCat(left(), " bytes left, want ", size, " of ", what));
    const absl::string_view taken = bytes_.substr(offset_, size);
    offset_ += size;
    return taken;
  }

  // The next sizeof(T) bytes as a little-endian number. Error(): as Bytes().
  template <typename T>
  absl::StatusOr<T> Number(absl::string_view what) {
    ASSIGN_OR_RETURN(const absl::string_view bytes, Bytes(sizeof(T), what));
    T value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }

  // "<name>: byte <offset()>: <what>", where offset() is how far it has read.
  absl::Status Error(absl::string_view what) const {
    return absl::Status(code_, absl::StrCat(name_, ": byte ", offset_, ": ", what));
  }

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }

 private:
  absl::string_view bytes_;
  absl::StatusCode code_;
  absl::string_view name_;
  uint64_t offset_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_BYTE_READER_H_
