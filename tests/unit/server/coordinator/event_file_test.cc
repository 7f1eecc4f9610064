// Where on the data's way: from the coordinator to the run folder; event files as TensorFlow defines them.
#include "server/coordinator/event_file.h"

#include <filesystem>

#include "common/file/crc32c.h"
#include "common/file/file.h"
#include "gtest/gtest.h"
#include "tests/testing/event_reader.h"

namespace downpour {
namespace {

TEST(EventFileTest, Crc32cMatchesPublishedVectors) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  // RFC 3720, B.4.
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), 0xe3069283u);
  EXPECT_EQ(BitwiseCrc32c("123456789"), 0xe3069283u);
}

// The record that every TensorFlow event file of version 2 with wall_time 1 starts with is, by the
// definitions of TFRecord and Event: 24 bytes of data, field 1 (fixed64) and field 3 (bytes).
TEST(EventFileTest, FramesARecordByteForByte) {
  tensorboard::Event event;
  event.set_wall_time(1);
  event.set_file_version("brain.Event:2");
  const std::string data(
      "\x09\0\0\0\0\0\0\xf0\x3f\x1a\x0d"
      "brain.Event:2",
      24);
  const std::string record = EventRecord(event);
  ASSERT_EQ(record.size(), 40u);
  // The first 12 bytes of event files in the wild: length 24 and its masked checksum.
  EXPECT_EQ(record.substr(0, 12), std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22", 12));
  EXPECT_EQ(record.substr(12, 24), data);
  EXPECT_EQ(LittleEndianAt(record, 36, 4), MaskedCrc32c(data));
}

TEST(EventFileTest, MasksAsLevelDbAndTensorFlowDo) {
  const uint32_t crc = 0xe3069283u;
  EXPECT_EQ(MaskedCrc32c("123456789"), ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
  EXPECT_EQ(MaskedCrc32c("123456789"), 0xc78ab0e5u);
}

TEST(EventFileTest, AFileBeginsWithItsVersionAndVoidsLaterStepsOfOlderFiles) {
  const std::string folder = ::testing::TempDir() + "event_file_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const absl::Time now = absl::FromUnixSeconds(1234);
  ASSERT_TRUE(OpenEventFile(folder, now, 0)->Flush().ok());
  ASSERT_TRUE(OpenEventFile(folder, now, 201)->Flush().ok());  // the name is taken: the next second's

  const auto first = ReadEvents(ReadFile(folder + "/events.out.tfevents.1234.downpour").value());
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].file_version(), "brain.Event:2");
  EXPECT_EQ(first[0].wall_time(), 1234);
  const auto second = ReadEvents(ReadFile(folder + "/events.out.tfevents.1235.downpour").value());
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(second[1].session_log().status(), tensorboard::SessionLog::START);
  EXPECT_EQ(second[1].step(), 201);
}

TEST(EventFileTest, AFolderThatIsNotThereIsNamed) {
  const auto file = OpenEventFile("/nonexistent/folder", absl::UnixEpoch(), 0);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(file.status().message()).find("/nonexistent/folder"), std::string::npos);
}

}  // namespace
}  // namespace downpour
