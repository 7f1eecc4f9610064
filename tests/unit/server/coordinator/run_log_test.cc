// Where on the data's way: from the coordinator to the run folder; its files, byte for byte, through restarts
// and full disks.
#include "server/coordinator/run_log.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "common/file/file.h"
#include "common/program/run_description.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/event_reader.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

constexpr char kHeader[] =
    "wall_s,virtual_s,updates,frames,epoch,train_loss,test_loss,test_frame_accuracy,live_replicas,staleness_"
    "mean,"
    "staleness_p99,pushes_rejected,test_nonsilence_frame_accuracy,test_human_loss,test_human_frame_accuracy,"
    "test_human_nonsilence_frame_accuracy,gradient_variance,gradient_squared_norm,gradient_noise_scale\n";
constexpr char kFullLine[] =
    "12.500,340.250,200,20000,0.250000,1.500000,2.000000,0.250000,20,2.500,4,3,0.200000,4.000000,0.125000,0."
    "100000,264.258064516,1015.741935484,0.260\n";

EvaluationRecord FullRecord(int64_t updates) {
  EvaluationRecord record;
  record.point.set_wall_s(12.5);
  record.point.set_virtual_s(340.25);
  record.point.set_unix_time_s(1700000000.5);
  record.point.set_updates(updates);
  record.point.set_frames(100 * updates);
  record.point.set_epoch(0.25);
  record.point.set_live_replicas(20);
  record.point.set_pushes_rejected(3);
  record.reported.loss_sum = 1500;
  record.reported.frames = 1000;
  for (const uint64_t staleness : {1, 2, 3, 4}) record.reported.staleness.Add(staleness);
  for (int i = 0; i < GradientNoise::kWindow; ++i) {  // as computed by hand in gradient_noise_test.cc
    record.reported.gradient_noise.Add(std::vector<float>(kGradientSketchSize, i % 2 == 0 ? 3.0f : 1.0f));
  }
  record.staleness = record.reported.staleness;
  record.staleness.Add(2);
  record.result.set_updates(updates);
  TestSetResult* test = record.result.mutable_test();
  test->set_frames(1000);
  test->set_correct(250);
  test->set_loss_sum(2000);
  test->set_nonsilence_frames(500);
  test->set_nonsilence_correct(100);
  TestSetResult* human = record.result.mutable_test_human();
  human->set_frames(400);
  human->set_correct(50);
  human->set_loss_sum(1600);
  human->set_nonsilence_frames(200);
  human->set_nonsilence_correct(20);
  return record;
}

class RunLogTest : public ::testing::Test {
 protected:
  RunLogTest() { std::filesystem::remove_all(folder_); }

  std::unique_ptr<RunLog> Open(int64_t updates = -1, int64_t there = 1) {
    auto log = RunLog::Open({folder_, {updates, there}, &clock_});
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }
  std::string Read(const std::string& name) {
    return ReadFile(folder_ + "/" + name).value_or("no such file");
  }
  void Write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(ReplaceFile(folder_ + "/" + name, {content}).ok());
  }

  const std::string folder_ = ::testing::TempDir() + "run_log_test/" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
  FakeClock clock_{absl::FromUnixSeconds(1700000000)};
};

TEST_F(RunLogTest, ALineHoldsEveryValueInTheAgreedOrder) {
  const auto log = Open();
  EXPECT_EQ(Read("frame_accuracy.csv"), kHeader);
  log->OnEvaluation(FullRecord(200));
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(Read("frame_accuracy.csv"), std::string(kHeader) + kFullLine);
  EXPECT_EQ(Read("staleness.csv"), "staleness,pushes\n1,1\n2,2\n3,1\n4,1\n");
}

TEST_F(RunLogTest, ALineIsInTheFileWithoutAFlush) {
  const auto log = Open();
  log->OnEvaluation(FullRecord(200));
  const absl::Time deadline = Clock::Real()->Now() + absl::Seconds(60);
  while (Read("frame_accuracy.csv") != std::string(kHeader) + kFullLine && Clock::Real()->Now() < deadline)
    absl::SleepFor(absl::Milliseconds(5));
  EXPECT_EQ(Read("frame_accuracy.csv"), std::string(kHeader) + kFullLine);
}

TEST_F(RunLogTest, UnknownValuesAreLeftEmpty) {
  EvaluationRecord record = FullRecord(0);
  record.reported = ReportedSpan();
  record.result.clear_test_human();
  record.result.mutable_test()->clear_nonsilence_frames();
  record.result.mutable_test()->clear_loss_sum();
  const auto log = Open();
  log->OnEvaluation(record);
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(Read("frame_accuracy.csv"),
            std::string(kHeader) + "12.500,340.250,0,0,0.250000,,,0.250000,20,,,3,,,,,,,\n");
}

TEST_F(RunLogTest, EventsHoldTheScalarsOfEachLine) {
  const auto log = Open();
  log->OnEvaluation(FullRecord(200));
  ASSERT_TRUE(log->Flush().ok());
  const auto events = ReadEvents(Read("events.out.tfevents.1700000000.downpour"));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[2].summary().value(0).tag(), "_hparams_/experiment");
  EXPECT_EQ(events[3].step(), 200);
  EXPECT_DOUBLE_EQ(events[3].wall_time(), 1700000000.5);
  std::map<std::string, float> scalars;
  for (const auto& value : events[3].summary().value()) scalars[value.tag()] = value.simple_value();
  EXPECT_EQ(scalars["test/frame_accuracy"], 0.25f);
  EXPECT_EQ(scalars["test/loss"], 2.0f);
  EXPECT_EQ(scalars["train/loss"], 1.5f);
  EXPECT_EQ(scalars["test_human/frame_accuracy"], 0.125f);
  EXPECT_EQ(scalars["cluster/live_replicas"], 20.0f);
  EXPECT_EQ(scalars["cluster/staleness_mean"], 2.5f);
  EXPECT_EQ(scalars["cluster/staleness_p99"], 4.0f);
  EXPECT_EQ(scalars["cluster/pushes_rejected"], 3.0f);
}

TEST_F(RunLogTest, EventsHoldTheStalenessSinceTheLineBeforeAsAHistogram) {
  EvaluationRecord record = FullRecord(200);  // staleness 1, 2, 3, 4
  for (const uint64_t staleness : {15, 16, 17, 18, 1000, 1001}) record.reported.staleness.Add(staleness);
  const auto log = Open();
  log->OnEvaluation(record);
  ASSERT_TRUE(log->Flush().ok());
  const auto events = ReadEvents(Read("events.out.tfevents.1700000000.downpour"));
  const auto& value = *events.back().summary().value().rbegin();
  EXPECT_EQ(value.tag(), "cluster/staleness");
  EXPECT_EQ(value.histo().min(), 1);
  EXPECT_EQ(value.histo().max(), 1001);
  EXPECT_EQ(value.histo().num(), 10);
  EXPECT_EQ(value.histo().sum(), 2077);
  EXPECT_THAT(value.histo().bucket_limit(), ElementsAre(1, 2, 3, 4, 15, 17, 19, 1023));
  EXPECT_THAT(value.histo().bucket(), ElementsAre(1, 1, 1, 1, 1, 2, 1, 2));
}

TEST_F(RunLogTest, TheLineAtTheBudgetEndsTheSessionForTensorBoard) {
  EvaluationRecord record = FullRecord(200);
  record.point.set_budget_reached(true);
  const auto log = Open();
  log->OnEvaluation(record);
  ASSERT_TRUE(log->Flush().ok());
  const auto events = ReadEvents(Read("events.out.tfevents.1700000000.downpour"));
  EXPECT_EQ(events.back().summary().value(0).tag(), "_hparams_/session_end_info");
}

TEST_F(RunLogTest, AResumedRunCutsOffWhatItWillWriteAgain) {
  {
    const auto log = Open();
    for (const int64_t updates : {0, 200, 400}) log->OnEvaluation(FullRecord(updates));
  }
  const std::string before = Read("frame_accuracy.csv");
  Write("frame_accuracy.csv", before + "12.5,340.2");  // killed while writing
  clock_.Advance(absl::Seconds(60));
  const auto log = Open(200);
  const std::string kept = Read("frame_accuracy.csv");
  EXPECT_EQ(kept, before.substr(0, kept.size()));
  EXPECT_TRUE(absl::EndsWith(kept, kFullLine));
  log->OnEvaluation(FullRecord(400));
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(Read("frame_accuracy.csv"), before);
  const auto events = ReadEvents(Read("events.out.tfevents.1700000060.downpour"));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[1].step(), 201);
  EXPECT_EQ(events[1].session_log().status(), tensorboard::SessionLog::START);
}

TEST_F(RunLogTest, OfTwoLinesOfTheSameUpdatesThoseAreKeptThatTheCheckpointCounts) {
  {
    const auto log = Open();
    for (const int64_t updates : {0, 200, 200}) log->OnEvaluation(FullRecord(updates));
  }
  const std::string two_of_200 = Read("frame_accuracy.csv");
  Open(200, 2);
  EXPECT_EQ(Read("frame_accuracy.csv"), two_of_200);
  Open(200, 1);
  EXPECT_EQ(Read("frame_accuracy.csv") + kFullLine, two_of_200);
}

TEST_F(RunLogTest, ATruncatedLastLineIsCutOffThoughItsUpdatesAreKept) {
  Write("frame_accuracy.csv", std::string(kHeader) + kFullLine + "13.0,350.0,210,2");
  Open(1000);
  EXPECT_EQ(Read("frame_accuracy.csv"), std::string(kHeader) + kFullLine);
  Write("frame_accuracy.csv", "wall_s,virt");
  Open(1000);
  EXPECT_EQ(Read("frame_accuracy.csv"), kHeader);
}

TEST_F(RunLogTest, ALogOfFewerColumnsGoesOnUnderTheNewHeader) {
  // Without the fifth column, epoch, and the last three, of the gradient.
  Write("frame_accuracy.csv",
        "wall_s,virtual_s,updates,frames,train_loss,test_loss,test_frame_accuracy,live_replicas,"
        "staleness_mean,staleness_p99,pushes_rejected,test_nonsilence_frame_accuracy,test_human_loss,"
        "test_human_frame_accuracy,test_human_nonsilence_frame_accuracy\n"
        "1.000,2.000,0,0,,2.5,0.1,20,,,0,,,,\n"
        "12.500,340.250,200,20000,1.5,2.0,0.25,20,2.5,4,3,0.2,4.0,0.125,0.1\n"
        "13.000,350.000,400,40000,1.4,1.9,0.26,20,2.5,4,3,0.2,4.0,0.125,0.1\n");
  const auto log = Open(200);
  const std::string kept = std::string(kHeader) +
                           "1.000,2.000,0,0,,,2.5,0.1,20,,,0,,,,,,,\n"
                           "12.500,340.250,200,20000,,1.5,2.0,0.25,20,2.5,4,3,0.2,4.0,0.125,0.1,,,\n";
  EXPECT_EQ(Read("frame_accuracy.csv"), kept);
  log->OnEvaluation(FullRecord(200));
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(Read("frame_accuracy.csv"), kept + kFullLine);
}

TEST_F(RunLogTest, AForeignFileIsRefusedAndLeftAlone) {
  const std::string lines[] = {"a,b\n1,2\n",
                               std::string(kHeader) + "1,2,3\n",
                               std::string(kHeader) + "1,2,x,4,5,6,7,8,9,10,11,12,13,14,15,16\n",
                               "wall_s,virtual_s,updates,surprise\n1,2,3,4\n",
                               "updates,updates\n1,2\n",
                               "wall_s,virtual_s\n1,2\n",
                               "wall_s,updates\n1\n",
                               "wall_s,updates\n1,2,3\n",
                               "wall_s,updates\n3,x\n",
                               "\n"};
  for (const std::string& content : lines) {
    Write("frame_accuracy.csv", content);
    const auto log = RunLog::Open({folder_, {1000, 1}, &clock_});
    EXPECT_EQ(log.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(absl::StrContains(log.status().message(), "frame_accuracy.csv: line")) << log.status();
    EXPECT_EQ(Read("frame_accuracy.csv"), content);
  }
}

TEST_F(RunLogTest, AFullDiskLosesNoLine) {
  const auto log = Open();
  log->OnEvaluation(FullRecord(200));
  ASSERT_TRUE(log->Flush().ok());
  const std::string staleness = Read("staleness.csv");

  // The system's stand-in for a full disk: no file may grow past 10 bytes more than the log has.
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = Read("frame_accuracy.csv").size() + 10;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  log->OnEvaluation(FullRecord(400));
  const absl::Status full = log->Flush();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_TRUE(absl::StrContains(full.message(), "frame_accuracy.csv")) << full;
  EXPECT_TRUE(absl::StartsWith(Read("staleness.csv"), "staleness,pushes\n"));

  ASSERT_TRUE(log->Flush().ok());  // room again
  EXPECT_TRUE(absl::StrContains(Read("frame_accuracy.csv"), ",400,40000,"));
  log->OnEvaluation(FullRecord(600));
  ASSERT_TRUE(log->Flush().ok());
  const std::string csv = Read("frame_accuracy.csv");
  EXPECT_EQ(csv.size(), std::string(kHeader).size() + 3 * std::string(kFullLine).size());
  EXPECT_TRUE(absl::StrContains(csv, ",400,40000,")) << csv;
  EXPECT_TRUE(absl::StrContains(csv, ",600,60000,")) << csv;
  const auto events = ReadEvents(Read("events.out.tfevents.1700000000.downpour"));
  ASSERT_EQ(events.size(), 6u);
  EXPECT_EQ(events[4].step(), 400);
  EXPECT_EQ(events[5].step(), 600);
}

TEST_F(RunLogTest, TheRunAndItsDataAreReadBack) {
  const auto log = Open();
  RunDescription description;
  description.mutable_data()->set_mnist_dir("digits");
  description.mutable_network()->add_hidden_width(500);
  ASSERT_TRUE(WriteRunDescription(folder_, description).ok());
  const auto read = ReadRunDescription(folder_ + "/run.textproto");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), description.SerializeAsString());

  DataSummary data;
  data.set_frames(12345);
  data.add_feature_mean(0.5);
  log->OnDataSummary(data);
  ASSERT_TRUE(log->Flush().ok());
  EXPECT_EQ(Read("data_summary.textproto"), "frames: 12345\nfeature_mean: 0.5\n");
}

TEST_F(RunLogTest, ManyLinesAtOnceComeOutInOrder) {
  {
    const auto log = Open();
    for (int64_t updates = 0; updates < 300; ++updates)
      log->OnEvaluation(FullRecord(updates));  // more than may wait
  }
  const std::string csv = Read("frame_accuracy.csv");
  size_t position = 0;
  for (int64_t updates = 0; updates < 300; ++updates) {
    position = csv.find(absl::StrCat("340.250,", updates, ",", 100 * updates, ","), position);
    ASSERT_NE(position, std::string::npos) << updates;
  }
}

TEST(LinesCountedByTest, AreThoseUpToTheLastRecorded) {
  CoordinatorCheckpoint checkpoint;
  EXPECT_EQ(LinesCountedBy(checkpoint).updates, -1);
  checkpoint.mutable_evaluations()->mutable_last_recorded()->set_updates(0);
  EXPECT_EQ(LinesCountedBy(checkpoint).updates, 0);
  EXPECT_EQ(LinesCountedBy(checkpoint).there, 1) << "an older checkpoint";
  checkpoint.mutable_evaluations()->set_recorded_there(2);
  EXPECT_EQ(LinesCountedBy(checkpoint).there, 2);
}

}  // namespace
}  // namespace downpour
