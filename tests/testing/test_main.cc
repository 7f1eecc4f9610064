// Where on the data's way: the main function of every test program, which gives it a temporary folder of
// its own.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// ctest starts every test case as a process of its own, and several at once. With a TEST_TMPDIR for each,
// which ::testing::TempDir() returns, file names need only differ within a test case.
int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  std::string folder = (std::filesystem::temp_directory_path() / "downpour_test_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr || setenv("TEST_TMPDIR", (folder + "/").c_str(), 1) != 0) {
    std::fprintf(stderr, "no temporary folder %s: %s\n", folder.c_str(), std::strerror(errno));
    return 1;
  }
  const int result = RUN_ALL_TESTS();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return result;
}
