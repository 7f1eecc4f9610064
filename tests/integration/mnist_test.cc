// Where on the data's way: guards the whole way, from data to accuracy: the run on MNIST for which Zeiler
// 2012 gives a figure, through real shards.
#include <gtest/gtest.h>

#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/test_data.h"
#include "tests/testing/virtual_run.h"
#include "worker/data/idx.h"

namespace downpour {
namespace {

// Section 4.1: rectified linear units, 500 in the first layer and 300 in the second; minibatches of 100;
// 6 epochs.
RunDescription MnistRun(const std::string& folder, uint64_t seed) {
  RunDescription description;
  description.set_seed(seed);
  description.mutable_data()->set_mnist_dir(folder);
  description.mutable_network()->add_hidden_width(500);
  description.mutable_network()->add_hidden_width(300);
  description.mutable_network()->set_precision(NetworkDescription::FLOAT32);
  description.mutable_optimizer()->set_kind(OptimizerDescription::ADADELTA);
  description.mutable_optimizer()->set_rho(0.95f);
  description.mutable_optimizer()->set_epsilon(1e-6f);
  description.mutable_cluster()->set_shards(2);
  description.mutable_cluster()->set_replicas(1);
  description.mutable_cluster()->set_minibatch(100);
  description.mutable_budget()->set_epochs(6);
  description.mutable_evaluation()->set_every_updates(600);
  description.mutable_evaluation()->set_max_frames(0);
  return description;
}

// Without annealing, the error after the last update varies by 0.12 points (standard deviation) between seeds
// and between the rounding of different CPUs. Therefore the mean over a few seeds is compared with the paper.
TEST(MnistTest, AdadeltaLandsWhereTable2SaysAfterSixEpochs) {
  const std::string folder = FindTestData("mnist");
  if (folder.empty()) {
    GTEST_SKIP()
        << "MNIST's four IDX files are neither in $DOWNPOUR_TEST_DATA/mnist nor in shared/data/mnist";
  }
  DataDescription files;
  files.set_mnist_dir(folder);
  auto loaded = LoadMnistRunData(files, nullptr);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto data = std::make_shared<const RunData>(*std::move(loaded));
  ASSERT_EQ(data->train->frames(), 60000);
  ASSERT_EQ(data->test->frames(), 10000);

  std::vector<std::future<VirtualRunResult>> runs;
  for (uint64_t seed : {1, 2, 3}) {
    runs.push_back(std::async(std::launch::async, [&data, description = MnistRun(folder, seed)] {
      VirtualRunOptions options;
      options.data = data;
      return RunVirtually(description, options);
    }));
  }
  double mean_error = 0;
  for (std::future<VirtualRunResult>& run : runs) {
    const VirtualRunResult result = run.get();
    ASSERT_TRUE(result.status.ok()) << result.status;
    const EvaluationRecord& last = result.records.back();
    ASSERT_EQ(last.point.updates(), 6 * 600);
    ASSERT_EQ(last.result.test().frames(), 10000);
    const double error = 100 - 0.01 * static_cast<double>(last.result.test().correct());
    std::printf("test error after 6 epochs: %.2f %%\n", error);
    mean_error += error / static_cast<double>(runs.size());
  }
  EXPECT_NEAR(mean_error, 1.83, 0.3);
}

}  // namespace
}  // namespace downpour
