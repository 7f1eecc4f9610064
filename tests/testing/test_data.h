// Where on the data's way: for tests, before the data's way: finds reference data that is not part of
// the product.
#ifndef DOWNPOUR_TESTS_TESTING_TEST_DATA_H_
#define DOWNPOUR_TESTS_TESTING_TEST_DATA_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace downpour {

// Returns the folder `name` in $DOWNPOUR_TEST_DATA, or in shared/data beside or inside the source tree; empty
// if there is none, and then the test skips itself.
inline std::string FindTestData(const std::string& name) {
  const char* given = std::getenv("DOWNPOUR_TEST_DATA");
  for (const std::string& folder :
       {std::string(given != nullptr ? given : ""), std::string(DOWNPOUR_SOURCE_DIR "/../shared/data"),
        std::string(DOWNPOUR_SOURCE_DIR "/shared/data")}) {
    if (!folder.empty() && std::filesystem::exists(folder + "/" + name)) return folder + "/" + name;
  }
  return "";
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_TEST_DATA_H_
