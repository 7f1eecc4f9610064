// Where on the data's way: guards common/wire/: chunk messages of any bytes, in any pieces.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/tensor/tensor_view.h"
#include "common/wire/chunk_codec.h"
#include "proto/parameter_server.pb.h"

namespace downpour {
namespace {

constexpr size_t kMostElements = 64;

// Parses a chunk: returns "" if it is refused, else its fields and its payload.
template <typename Message>
std::string Decode(const uint8_t* data, size_t size, int piece_bytes) {
  google::protobuf::io::ArrayInputStream input(data, static_cast<int>(size), piece_bytes);
  std::vector<float> buffer(kMostElements);
  Message fields;
  const auto payload = DecodeChunk(&input, MutableTensorView(absl::MakeSpan(buffer)).bytes(), &fields);
  if (!payload.ok()) return "";
  DOWNPOUR_CHECK(payload->size() <= kMostElements * sizeof(float));
  DOWNPOUR_CHECK(ChunkElements<float>(*payload).ok() == (payload->size() % 4 == 0));
  DOWNPOUR_CHECK(ChunkElements<uint16_t>(*payload).ok() == (payload->size() % 2 == 0));
  return absl::StrCat("accepted", fields.SerializeAsString(), *payload);
}

}  // namespace
}  // namespace downpour

// The result must not depend on how the bytes are cut into pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  static google::protobuf::LogSilencer no_complaints_about_utf8;
  const std::string whole = Decode<PushChunk>(data, size, -1);
  for (const int piece_bytes : {1, 7, 64}) {
    DOWNPOUR_CHECK(Decode<PushChunk>(data, size, piece_bytes) == whole);
  }
  Decode<FetchChunk>(data, size, -1);
  return 0;
}
