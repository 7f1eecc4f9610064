// Where on the data's way: on the wire; a chunk of gradient or parameters, framed around its own memory.
#ifndef DOWNPOUR_COMMON_WIRE_CHUNK_CODEC_H_
#define DOWNPOUR_COMMON_WIRE_CHUNK_CODEC_H_

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace downpour {

// Replicas cut what they push into chunks of this many elements, from the shard's first key on. Shards refuse
// longer chunks, and lock their parameters in segments that are cut at the same keys.
inline constexpr int64_t kChunkElements = int64_t{256} * 1024;
// The most bytes of tensor in a chunk: that many float32 elements, twice as many bfloat16 that a shard sends.
inline constexpr int64_t kChunkBytes = kChunkElements * static_cast<int64_t>(sizeof(float));
// The most bytes of all other fields of a chunk.
inline constexpr int64_t kMostFieldBytes = int64_t{64} * 1024;

// PushChunk and FetchChunk are ordinary protobuf messages whose tensor is field 15, `bytes`, written last:
//   [the other fields, serialised] [0x7a: field 15, length-delimited] [varint: payload bytes] [payload]
// e.g. begin = 5 and one element 1.0f: 10 05 | 7a | 04 | 00 00 80 3f.

// Returns all of that but the payload, which the sender appends without copying it. `fields` has no field 15.
std::string EncodeChunkPrefix(const google::protobuf::MessageLite& fields, int64_t payload_bytes);

// Reads any valid encoding of such a message; other bytes do no harm. Fills `fields` with all but the payload
// and returns the payload. If it lies in one piece in the memory that `input` refers to, aligned for float32,
// the result refers to it there; otherwise it is copied to the start of `buffer`, which is as long as the
// longest payload accepted. INVALID_ARGUMENT, saying what was seen and wanted: the message is malformed or
// truncated, its payload is longer than `buffer`, or all of it is more than 64 KiB longer.
absl::StatusOr<absl::string_view> DecodeChunk(google::protobuf::io::ZeroCopyInputStream* input,
                                              absl::Span<char> buffer, google::protobuf::MessageLite* fields);

// The elements of a payload: float32, or bfloat16 as uint16_t. INVALID_ARGUMENT: no whole number of them.
template <typename Element>
absl::StatusOr<absl::Span<const Element>> ChunkElements(absl::string_view payload) {
  if (payload.size() % sizeof(Element) == 0)
    return absl::MakeConstSpan(reinterpret_cast<const Element*>(payload.data()),
                               payload.size() / sizeof(Element));
  return absl::InvalidArgumentError(absl::StrCat("chunk message: a tensor of ", payload.size(),
                                                 " bytes, want a multiple of ", sizeof(Element)));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_CHUNK_CODEC_H_
