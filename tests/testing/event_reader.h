// Where on the data's way: for tests of the run folder's event files: reads TFRecord files with code that
// shares nothing with the writer's.
#ifndef DOWNPOUR_TESTS_TESTING_EVENT_READER_H_
#define DOWNPOUR_TESTS_TESTING_EVENT_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "proto/tensorboard_event.pb.h"

namespace downpour {

// CRC-32C, computed bit by bit from its polynomial.
inline uint32_t BitwiseCrc32c(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

inline uint64_t LittleEndianAt(const std::string& bytes, size_t offset, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(bytes.at(offset + i));
  return value;
}

// Returns the events of a file. Expects both checksums of every record to be right and no byte to be
// left over.
inline std::vector<tensorboard::Event> ReadEvents(const std::string& bytes) {
  const auto unmasked = [&](size_t offset) {
    const uint32_t rotated = static_cast<uint32_t>(LittleEndianAt(bytes, offset, 4)) - 0xa282ead8u;
    return (rotated >> 17) | (rotated << 15);
  };
  std::vector<tensorboard::Event> events;
  size_t offset = 0;
  while (offset < bytes.size()) {
    const uint64_t length = LittleEndianAt(bytes, offset, 8);
    EXPECT_EQ(unmasked(offset + 8), BitwiseCrc32c(bytes.substr(offset, 8)));
    const std::string data = bytes.substr(offset + 12, length);
    EXPECT_EQ(unmasked(offset + 12 + length), BitwiseCrc32c(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(data));
    offset += 16 + length;
  }
  EXPECT_EQ(offset, bytes.size());
  return events;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_EVENT_READER_H_
