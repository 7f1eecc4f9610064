// Where on the data's way: beside it; runs one test program with a temporary folder of its own.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// ctest starts every test case as a process of its own, several at once, so that names of files need only
// differ within a case: ::testing::TempDir() is TEST_TMPDIR.
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
