// Where on the data's way: on the wire; a chunk message comes back as it went out, and no bytes do harm.
#include "common/wire/chunk_codec.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/tensor/tensor_view.h"
#include "proto/parameter_server.pb.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

std::string Bytes(absl::Span<const float> floats) {
  return {reinterpret_cast<const char*>(floats.data()), floats.size() * sizeof(float)};
}

// Decodes from memory that comes in pieces of `piece` bytes and begins `offset` bytes after an
// aligned address.
class Decoder {
 public:
  explicit Decoder(absl::string_view message, int piece = -1, size_t offset = 0,
                   size_t capacity = kChunkElements)
      : buffer_(capacity), memory_(message.size() / sizeof(float) + 4) {
    char* start = reinterpret_cast<char*>(memory_.data()) + offset;
    std::memcpy(start, message.data(), message.size());
    google::protobuf::io::ArrayInputStream stream(start, static_cast<int>(message.size()), piece);
    const absl::StatusOr<absl::string_view> payload =
        DecodeChunk(&stream, MutableTensorView(absl::MakeSpan(buffer_)).bytes(), &fields);
    if (payload.ok()) {
      result = ChunkElements<float>(*payload);
    } else {
      result = payload.status();
    }
  }

  bool copied() const { return !result->empty() && result->data() == buffer_.data(); }

  PushChunk fields;
  absl::StatusOr<absl::Span<const float>> result;

 private:
  std::vector<float> buffer_;
  std::vector<float> memory_;
};

PushChunk Fields() {
  PushChunk fields;
  fields.mutable_header()->mutable_run()->set_run_id("a run");
  fields.mutable_header()->set_sequence(7);
  fields.set_begin(1 << 20);
  return fields;
}

TEST(ChunkCodec, WritesTheDocumentedBytes) {
  PushChunk fields;
  fields.set_begin(5);
  const float one = 1;
  EXPECT_EQ(EncodeChunkPrefix(fields, 1 * sizeof(float)) + Bytes({&one, 1}),
            std::string("\x10\x05\x7a\x04\x00\x00\x80\x3f", 8));
}

TEST(ChunkCodec, WritesWhatProtobufWritesAndReads) {
  const std::vector<float> gradient = {0.5f, -1e-30f, 3e38f};
  PushChunk whole = Fields();
  whole.set_gradient(Bytes(gradient));
  const std::string message = EncodeChunkPrefix(Fields(), 3 * sizeof(float)) + Bytes(gradient);
  EXPECT_EQ(message, whole.SerializeAsString());
  PushChunk parsed;
  ASSERT_TRUE(parsed.ParseFromString(message));
  EXPECT_EQ(parsed.gradient(), Bytes(gradient));
}

TEST(ChunkCodec, ReadsBackWhateverPiecesTheMessageArrivesIn) {
  std::vector<float> gradient(1000);
  Random random(1);
  for (float& value : gradient) value = static_cast<float>(random.Normal());
  const std::string message = EncodeChunkPrefix(Fields(), 1000 * sizeof(float)) + Bytes(gradient);
  for (const int piece : {1, 2, 3, 5, 7, 64, 1023, 4000, -1}) {
    for (const size_t offset : {0, 1, 2, 3}) {
      const Decoder decoder(message, piece, offset);
      ASSERT_TRUE(decoder.result.ok()) << decoder.result.status();
      EXPECT_EQ(*decoder.result, absl::MakeConstSpan(gradient))
          << "pieces of " << piece << ", offset " << offset;
      EXPECT_EQ(decoder.fields.SerializeAsString(), Fields().SerializeAsString());
    }
  }
}

TEST(ChunkCodec, DoesNotCopyAnAlignedPiece) {
  const std::vector<float> gradient(100, 2);
  const std::string prefix = EncodeChunkPrefix(Fields(), 100 * sizeof(float));
  const std::string message = prefix + Bytes(gradient);
  const size_t aligning = (4 - prefix.size() % 4) % 4;
  EXPECT_FALSE(Decoder(message, -1, aligning).copied());
  EXPECT_TRUE(Decoder(message, -1, (aligning + 1) % 4).copied());
  EXPECT_TRUE(Decoder(message, 64, aligning).copied());
}

TEST(ChunkCodec, TakesFieldsInAnyOrderRepeatedAndUnknown) {
  const float two = 2;
  PushChunk unset;
  const std::string payload = EncodeChunkPrefix(unset, 1 * sizeof(float)) + Bytes({&two, 1});
  const std::string older_payload("\x7a\x08\0\0\0\0\0\0\0\0", 10);
  const std::string unknown(
      "\x98\x06\x01\xa2\x06\x03"
      "abc"
      "\xa5\x06\x01\x02\x03\x04",
      15);  // fields 99 and 100
  const Decoder decoder(older_payload + unknown + payload + Fields().SerializeAsString());
  ASSERT_TRUE(decoder.result.ok()) << decoder.result.status();
  EXPECT_EQ(*decoder.result, absl::MakeConstSpan(&two, 1));
  EXPECT_EQ(decoder.fields.begin(), Fields().begin());
  EXPECT_EQ(decoder.fields.header().sequence(), 7);
}

TEST(ChunkCodec, TakesAMessageWithoutPayload) {
  EXPECT_EQ(Decoder(Fields().SerializeAsString()).result->size(), 0);
  EXPECT_EQ(Decoder("").result->size(), 0);
  EXPECT_EQ(Decoder(EncodeChunkPrefix(Fields(), 0)).result->size(), 0);
}

TEST(ChunkCodec, RefusesATensorOfPartOfAFloat) {
  const Decoder decoder(
      std::string("\x7a\x07"
                  "1234567",
                  9));
  EXPECT_TRUE(absl::IsInvalidArgument(decoder.result.status()));
  EXPECT_THAT(decoder.result.status().message(), HasSubstr("7 bytes, want a multiple of 4"));
}

TEST(ChunkCodec, ElementsAreOfTheTypeAskedFor) {
  const absl::StatusOr<absl::Span<const uint16_t>> halves =
      ChunkElements<uint16_t>("\x80\x3f\x20\xc0\x01\x02");
  ASSERT_TRUE(halves.ok());
  EXPECT_THAT(*halves, ::testing::ElementsAre(0x3f80, 0xc020, 0x0201));
  EXPECT_TRUE(absl::IsInvalidArgument(ChunkElements<uint16_t>("abc").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ChunkElements<float>("abcdef").status()));
}

TEST(ChunkCodec, RefusesATensorLongerThanTheBuffer) {
  const Decoder decoder(EncodeChunkPrefix(Fields(), 11 * sizeof(float)) + std::string(44, '\0'), -1, 0, 10);
  EXPECT_TRUE(absl::IsInvalidArgument(decoder.result.status()));
  EXPECT_THAT(decoder.result.status().message(), HasSubstr("44 bytes, want at most 40"));
  // Refused long before that many bytes have been read.
  EXPECT_TRUE(absl::IsInvalidArgument(Decoder(EncodeChunkPrefix(Fields(), 1 << 29)).result.status()));
}

TEST(ChunkCodec, RefusesEveryTruncation) {
  const std::vector<float> gradient(5, 1);
  const std::string message = EncodeChunkPrefix(Fields(), 5 * sizeof(float)) + Bytes(gradient);
  const size_t fields_end = Fields().SerializeAsString().size();
  const size_t begin_field = message.find('\x10', 2);
  for (size_t size = 1; size < message.size(); ++size) {
    const Decoder decoder(message.substr(0, size));
    // A message may end after any field.
    if (decoder.result.ok()) {
      EXPECT_TRUE(size == fields_end || size <= begin_field) << size;
      EXPECT_TRUE(decoder.result->empty());
    } else {
      EXPECT_TRUE(absl::IsInvalidArgument(decoder.result.status())) << size;
    }
  }
  EXPECT_THAT(Decoder(message.substr(0, message.size() - 1)).result.status().message(),
              HasSubstr("ends before the 20 bytes"));
}

TEST(ChunkCodec, RefusesEndlessFields) {
  PushChunk fields;
  fields.mutable_header()->mutable_run()->set_run_id(std::string(200'000, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(Decoder(fields.SerializeAsString(), -1, 0, 10).result.status()));
}

TEST(ChunkCodec, RefusesOrReadsAnyBytesWithoutHarm) {
  const std::vector<float> gradient(20, 1);
  const std::string message = EncodeChunkPrefix(Fields(), 20 * sizeof(float)) + Bytes(gradient);
  Random random(3);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = message;
    for (uint64_t edits = 1 + random.Below(4); edits > 0; --edits) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    }
    bytes.resize(random.Below(bytes.size() + 1));
    const Decoder decoder(bytes, static_cast<int>(1 + random.Below(40)), random.Below(4), 30);
    if (!decoder.result.ok()) {
      ++refused;
      EXPECT_TRUE(absl::IsInvalidArgument(decoder.result.status()));
    } else {
      EXPECT_LE(decoder.result->size(), 30);
    }
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace downpour
