// Where on the data's way: common/program, while a program runs; what is in its log file, and how much.
#include "common/program/logging.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "common/file/file.h"

namespace downpour {
namespace {

TEST(OneLineTest, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(OneLine("plain 'text', \u00e9\u4e16"), "plain 'text', \u00e9\u4e16");
  EXPECT_EQ(OneLine("a\nb\tc\r\x1b[2J\x7f"), R"(a\nb\tc\x0d\x1b[2J\x7f)");
  EXPECT_EQ(OneLine(std::string(1, '\0')), R"(\x00)");
}

TEST(OneLineTest, LongTextsAreCut) {
  const std::string longest(kMostLineBytes, 'x');
  EXPECT_EQ(OneLine(longest), longest);
  EXPECT_EQ(OneLine(longest + "yz"), longest + "... and 2 bytes");
}

class LogFileTest : public ::testing::Test {
 protected:
  LogFileTest() {
    std::filesystem::create_directories(folder_);
    EXPECT_TRUE(SetUpLogging("test", folder_ + "/log.txt", false).ok());
  }
  ~LogFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Read(const std::string& name) {
    return ReadFile(folder_ + "/" + name).value_or("no such file");
  }

  const std::string folder_ = ::testing::TempDir() + "logging_test/" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(LogFileTest, AnAddressCannotForgeALine) {
  LogWarning("shard 0 registered at 'a:1'\n2026-01-01 00:00:00.000 coordinator info all is well'");
  const std::string log = Read("log.txt");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_TRUE(absl::StrContains(log, R"('a:1'\n2026)")) << log;
}

TEST_F(LogFileTest, TheLogKeepsOneOlderGenerationAndNoMore) {
  const std::string line(kMostLineBytes, 'x');
  for (size_t bytes = 0; bytes < 3 * kMostLogBytes; bytes += line.size()) LogInfo(line);
  LogWarning("the last line");
  EXPECT_TRUE(absl::StrContains(Read("log.txt"), "the last line"));
  uintmax_t bytes = 0;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    bytes += entry.file_size();
    ++files;
  }
  EXPECT_EQ(files, 2);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/log.1.txt"));
  EXPECT_LE(bytes, 2 * kMostLogBytes);
}

}  // namespace
}  // namespace downpour
