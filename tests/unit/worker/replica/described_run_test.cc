// Where on the data's way: the run as the coordinator describes it and as a process reads it.
#include "worker/replica/described_run.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/synthetic_data.h"
#include "tests/unit/worker/data/kaldi_files.h"
#include "tests/unit/worker/fake_cluster.h"

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

TEST(DescribedRun, WorkersReadTheTrainingPartAndEvaluatorsTheTestSets) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}});
  const std::string test = WriteKaldiDirectory("test", {{"b", {4, 5.5, 1, 1}, {0, 1}}});
  FakeCluster cluster;
  RunDescription* description = cluster.described.mutable_description();
  *description = Coordinators();
  description->mutable_data()->set_train_dir(train);
  description->mutable_data()->set_test_dir(test);

  // Before anybody has joined, the summary of the run's data is not known; it describes the test set too.
  int waits = 0;
  const auto wait = [&] { return ++waits < 3; };
  EXPECT_EQ(LoadEvaluatorsRun(cluster, {}, {}, wait).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(waits, 3);
  const auto first = LoadWorkersRun(cluster, {});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->data.test, nullptr);
  EXPECT_EQ(first->data.summary.majority_test_accuracy(), 0.5);

  *cluster.described.mutable_data() = first->data.summary;
  const auto evaluator = LoadEvaluatorsRun(cluster, {}, {}, wait);
  ASSERT_TRUE(evaluator.ok()) << evaluator.status();
  EXPECT_EQ(evaluator->data.train, nullptr);
  EXPECT_EQ(evaluator->data.test->frames(), 2);
  std::filesystem::remove_all(test);
  EXPECT_FALSE(LoadEvaluatorsRun(cluster, {}, {}, wait).ok());
  EXPECT_EQ(waits, 3) << "a file that cannot be read is no reason to wait";
  const auto second = LoadWorkersRun(cluster, {});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->data.train->frames(), 2);
  EXPECT_EQ(second->data.summary.SerializeAsString(), first->data.summary.SerializeAsString());
}

}  // namespace
}  // namespace downpour
