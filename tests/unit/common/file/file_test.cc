// Where on the data's way: files at rest; read and replaced whole, and what is no file.
#include "common/file/file.h"

#include <filesystem>
#include <string>

#include "common/program/run_description.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(ReadFile, ReadsWhatReplaceFileWrote) {
  const std::string path = ::testing::TempDir() + "/file_test";
  for (const std::string& content : {std::string(), std::string(3, '\0'), std::string(1 << 20, 'x')}) {
    ASSERT_TRUE(ReplaceFile(path, {content, "!"}).ok());
    EXPECT_EQ(ReadFile(path).value(), content + "!");
  }
  EXPECT_GT(ReadFile("/proc/self/status").value().size(), 100u);  // whose size is given as 0
}

TEST(ReadFile, SaysWhyNot) {
  const std::string folder = ::testing::TempDir();
  EXPECT_EQ(ReadFile(folder + "/none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder).status(), absl::UnavailableError("cannot read " + folder + ": Is a directory"));
  EXPECT_EQ(ReadRunDescription(folder).status().code(), absl::StatusCode::kUnavailable);
}

TEST(ReplaceFile, WithoutItsFolderIsUnavailable) {
  EXPECT_EQ(ReplaceFile(::testing::TempDir() + "/none/file", {"x"}).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace downpour
