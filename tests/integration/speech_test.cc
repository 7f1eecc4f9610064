// Where on the data's way: guards the whole way on real speech, in small: sentences are spoken and aligned,
// and a network learns their senones.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "deploy/corpus/corpus_builder.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/training_run.h"

namespace downpour {
namespace {

// What this machine lacks of what is needed to make speech; "" if nothing.
std::string Missing(const std::string& program) {
  const CorpusOptions options;
  for (const std::string& path : {program, options.fortunes, options.aligner.dictionary}) {
    if (!std::filesystem::exists(path)) return path;
  }
  return "";
}

// ADADELTA as in deploy/quickstart.textproto, on a smaller network and cluster. Three minutes are too little
// to learn the senones of other sentences, so frames of the training part are scored.
RunDescription SpeechRun(const std::string& corpus) {
  RunDescription description;
  description.mutable_data()->set_train_dir(corpus + "/train");
  description.mutable_data()->set_test_dir(corpus + "/train");
  description.mutable_data()->set_slice_frames(2000);
  description.mutable_data()->set_left_context(7);
  description.mutable_data()->set_right_context(5);
  description.mutable_network()->add_hidden_width(128);
  description.mutable_network()->set_nonlinearity(NetworkDescription::LOGISTIC);
  description.mutable_network()->set_loss_scale(10);
  description.mutable_optimizer()->set_kind(OptimizerDescription::ADADELTA);
  description.mutable_optimizer()->set_rho(0.95f);
  description.mutable_optimizer()->set_epsilon(1e-6f);
  description.mutable_cluster()->set_shards(2);
  description.mutable_cluster()->set_replicas(2);
  description.mutable_cluster()->set_minibatch(100);
  description.mutable_budget()->set_epochs(5);
  description.mutable_evaluation()->set_every_updates(400);
  description.mutable_evaluation()->set_max_frames(3000);
  return description;
}

TEST(SpeechTest, AdadeltaLearnsSenonesOfSpokenSentences) {
  const std::string program = absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/downpour-corpus");
  if (const std::string missing = Missing(program); !missing.empty()) {
    GTEST_SKIP() << "no speech can be made: " << missing << " is not there";
  }
  const std::string corpus = ::testing::TempDir() + "speech";
  ChildProcess maker({program, "--out=" + corpus, "--hours=0.05", "--human=false"}, corpus + ".log");
  ASSERT_EQ(maker.Wait(absl::Minutes(5)), 0) << maker.Output();

  TrainingJob job;
  job.description = SpeechRun(corpus);
  auto data = LoadRunData(job.description.data(), nullptr);
  ASSERT_TRUE(data.ok()) << data.status();
  job.data = std::make_shared<RunData>(*std::move(data));
  EXPECT_GT(job.data->train->frames(), 10000);
  job.run_dir = FreshRunDir();
  job.threads = 2;
  const absl::StatusOr<RunStatus> end = PrepareAndRun(job);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->phase(), RunStatus::FINISHED);
  const double accuracy = std::stod(ReadCurve(job.run_dir).back().at("test_frame_accuracy"));
  const double chance = job.data->test->most_frequent_label_share();
  std::printf("frame accuracy %.1f %%, the most frequent senone's share %.1f %%\n", 100 * accuracy,
              100 * chance);
  EXPECT_GT(accuracy, 2 * chance);
}

}  // namespace
}  // namespace downpour
