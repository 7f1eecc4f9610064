// Where on the data's way: before it; the run as the coordinator describes it and this process reads it.
#include "worker/described_run.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/synthetic_data.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RunDescription Coordinators() {
  RunDescription description = SyntheticRun();
  description.mutable_data()->set_test_dir("synthetic_test");
  return description;
}

TEST(LocalDescription, TakesDataPathsFromTheCommandLineAndTheRestFromTheCoordinator) {
  const auto local = LocalDescription(Coordinators(), {{}, {{"data.train_dir", "/local/disk"}}});
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ(local->data().train_dir(), "/local/disk");
  EXPECT_EQ(local->data().test_dir(), "synthetic_test");
  EXPECT_EQ(local->budget().updates(), 100);
}

TEST(LocalDescription, RefusesAnotherRunAndTwoKindsOfData) {
  EXPECT_EQ(LocalDescription(Coordinators(), {{}, {{"seed", "9"}}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(LocalDescription(Coordinators(), {{}, {{"data.mnist_dir", "/mnist"}}}).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("data.mnist_dir and data.train_dir")));
}

}  // namespace
}  // namespace downpour
