// Where on the data's way: files at rest; as the page cache holds them, and such as cannot be mapped.
#include "common/file/mapped_file.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"

namespace downpour {
namespace {

std::string Write(const std::string& name, const std::string& text) {
  std::string path = ::testing::TempDir() + "mapped_" + name;
  std::filesystem::remove_all(path);
  std::ofstream(path) << text;
  return path;
}

TEST(MappedFile, HoldsTheFileAsItWasAlsoWhenAnotherTakesItsPlace) {
  const std::string path = Write("file", "first");
  const auto mapped = MappedFile::Open(path);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  std::filesystem::rename(Write("other", "second, and longer"), path);
  EXPECT_EQ(absl::string_view((*mapped)->data(), (*mapped)->size()), "first");
}

TEST(MappedFile, RefusesWhatCannotBeMapped) {
  EXPECT_EQ(MappedFile::Open("/no/such").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(Write("empty", "")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(MappedFile::Open(::testing::TempDir()).status().code(), absl::StatusCode::kUnavailable);
}

// What the header says of a file that is cut short.
TEST(MappedFileDeathTest, ReadingBehindTheNewEndOfAFileCutShortIsSigbus) {
  const std::string path = Write("short", std::string(1 << 16, 'x'));
  const auto mapped = MappedFile::Open(path);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  std::filesystem::resize_file(path, 1);
  EXPECT_EQ((*mapped)->data()[0], 'x');
  const volatile char* last = (*mapped)->data() + (1 << 16) - 1;
  // The default, which a sanitizer has changed.
  EXPECT_EXIT(
      {
        signal(SIGBUS, SIG_DFL);
        std::exit(*last);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace downpour
