// Where on the data's way: one replica's loop: what is due when, and what a push carries.
#include "worker/replica/model_replica.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/synthetic_data.h"
#include "tests/unit/worker/replica/counting_network.h"

namespace downpour {
namespace {

const TensorView kNone = absl::Span<const float>();

class ModelReplicaTest : public ::testing::Test {
 protected:
  ModelReplica Replica(int n_push, int n_fetch, int slices = 10) {
    MinibatchSource source(data_, /*minibatch_frames=*/10, /*seed=*/1);
    for (int i = 0; i < slices; ++i) {
      DataSlice slice;
      slice.set_index(i);
      slice.set_begin(i);
      slice.set_end(i + 1);  // one utterance of 20 frames: two minibatches
      EXPECT_TRUE(source.AddSlice(slice).ok());
    }
    cluster_.set_n_push(n_push);
    cluster_.set_n_fetch(n_fetch);
    return ModelReplica(
        {.replica_id = 7, .incarnation = 3, .cluster = cluster_, .shards = 2, .noise = noise_}, kParameters,
        std::move(source), &pool_, rounded_pool_);
  }

  // A replica that has fetched, and computed its first minibatch.
  ModelReplica Computed(int n_push, int n_fetch) {
    ModelReplica replica = Replica(n_push, n_fetch);
    replica.FetchDone({10, 20});
    EXPECT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
    return replica;
  }

  // One step as a driver makes it: "F" if it fetched, "D" if noise dropped the push, "W" if it held the push
  // back, "P" and the first element pushed if it pushed.
  std::string Step(ModelReplica& replica) {
    std::string trace;
    if (replica.FetchDue()) {
      trace += "F";
      replica.FetchDone({10, 20});
    }
    EXPECT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
    for (;;) {
      const ModelReplica::PushAction action = replica.NextPushAction();
      if (action.kind == ModelReplica::PushAction::DROPPED) trace += "D";
      if (action.kind != ModelReplica::PushAction::PUSH) break;
      if (action.delay > absl::ZeroDuration()) trace += "W";
      absl::StrAppend(&trace, "P", Widened(replica.gradient())[0]);
      replica.PushDone(std::vector<uint64_t>{1, 2});
    }
    return trace.empty() ? "-" : trace;
  }

  static std::vector<float> Widened(TensorView gradient) {
    std::vector<float> values(gradient.floats().begin(), gradient.floats().end());
    for (const uint16_t value : gradient.bfloats()) values.push_back(FromBfloat16(value));
    return values;
  }

  std::vector<std::string> Trace(int n_push, int n_fetch, int steps) {
    network_ = CountingNetwork();
    ModelReplica replica = Replica(n_push, n_fetch);
    std::vector<std::string> trace;
    for (int step = 0; step < steps; ++step) trace.push_back(Step(replica));
    return trace;
  }

  std::shared_ptr<const Dataset> data_ = SyntheticDataset(10, 20, 2, 1);
  NoiseDescription noise_;
  ClusterDescription cluster_;
  std::vector<float> parameters_ = std::vector<float>(kParameters);
  GradientPool pool_{kParameters};
  RoundedGradientPool rounded_{kParameters};
  RoundedGradientPool* rounded_pool_ = nullptr;
  CountingNetwork network_;
};

// By hand from Dean et al. 2012, appendix 7.1, "main", with step counted from 0: fetch if step mod n_fetch ==
// 0, add gradient number step + 1, push the sum and clear it if step mod n_push == 0.
TEST_F(ModelReplicaTest, FetchesAndPushesExactlyAsDeanEtAlsLoop) {
  using ::testing::ElementsAre;
  EXPECT_THAT(Trace(1, 1, 4), ElementsAre("FP1", "FP2", "FP3", "FP4"));
  EXPECT_THAT(Trace(2, 1, 5), ElementsAre("FP1", "F", "FP5", "F", "FP9"));  // 2+3, 4+5
  EXPECT_THAT(Trace(1, 3, 5), ElementsAre("FP1", "P2", "P3", "FP4", "P5"));
  EXPECT_THAT(Trace(3, 2, 7), ElementsAre("FP1", "-", "F", "P9", "F", "-", "FP18"));  // 2+3+4, 5+6+7
}

TEST_F(ModelReplicaTest, PushesCarryTheirIdentityASequenceAndTheVersionTheyWereComputedFrom) {
  ModelReplica replica = Computed(1, 2);
  EXPECT_EQ(replica.NextPush(0).replica_id, 7);
  EXPECT_EQ(replica.NextPush(0).incarnation, 3);
  EXPECT_EQ(replica.NextPush(0).sequence, 1);
  EXPECT_EQ(replica.NextPush(0).fetched_version, 10);
  EXPECT_EQ(replica.NextPush(1).fetched_version, 20);
  replica.PushDone(std::vector<uint64_t>{0, 0});
  EXPECT_TRUE(replica.gradient().empty());
  ASSERT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
  EXPECT_EQ(replica.NextPush(1).sequence, 2);
  EXPECT_EQ(replica.NextPush(1).fetched_version, 20);
}

TEST_F(ModelReplicaTest, ANoisyPushIsRepeatedOnceUnderASequenceOfItsOwn) {
  noise_.set_push_repeat_share(1);
  EXPECT_THAT(Trace(1, 1, 3), ::testing::ElementsAre("FP1P1", "FP2P2", "FP3P3"));
  ModelReplica replica = Replica(1, 1);
  Step(replica);
  EXPECT_EQ(replica.NextPush(0).sequence, 3);
  EXPECT_EQ(replica.TakeReport().pushes_applied(), 2);
}

TEST_F(ModelReplicaTest, ARepeatStillDueSurvivesSavingAndIsTheLast) {
  noise_.set_push_repeat_share(1);
  ModelReplica replica = Computed(1, 1);
  replica.PushDone(std::vector<uint64_t>{1, 2});
  ASSERT_TRUE(replica.PushDue());
  ModelReplica restored = Replica(1, 1, /*slices=*/0);
  ASSERT_EQ(restored.LoadState(replica.SaveState(), replica.gradient(), {}), absl::OkStatus());
  ASSERT_TRUE(restored.PushDue());
  EXPECT_EQ(restored.NextPush(0).sequence, 2);
  restored.PushDone(std::vector<uint64_t>{1, 2});
  EXPECT_FALSE(restored.PushDue());
}

TEST_F(ModelReplicaTest, WithAPoolForItAPushIsRoundedOnceItIsDueAndSavedSo) {
  rounded_pool_ = &rounded_;
  ModelReplica replica = Computed(2, 1);
  replica.PushDone(std::vector<uint64_t>{1, 2});
  replica.FetchDone({10, 20});
  network_.calls = 1000;  // 1001 takes ten bits, bfloat16 has eight
  ASSERT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
  EXPECT_THAT(replica.gradient().floats(), ::testing::ElementsAre(1001, 10010, 100100)) << "not due";
  replica.FetchDone({10, 20});
  ASSERT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
  ASSERT_TRUE(replica.PushDue());
  EXPECT_TRUE(replica.gradient().floats().empty());
  EXPECT_EQ(FromBfloat16(replica.gradient().bfloats()[0]), 2000) << "2003, rounded";
  ModelReplica restored = Replica(2, 1, /*slices=*/0);
  ASSERT_EQ(restored.LoadState(replica.SaveState(), replica.gradient(), {}), absl::OkStatus());
  EXPECT_EQ(restored.gradient().bfloats(), replica.gradient().bfloats());
  restored.PushDone(std::vector<uint64_t>{1, 2});
  EXPECT_TRUE(restored.gradient().empty());
  rounded_pool_ = nullptr;
  EXPECT_EQ(Replica(2, 1).LoadState(replica.SaveState(), replica.gradient(), {}).code(),
            absl::StatusCode::kInvalidArgument);
}

// The network rounds the gradient itself where nothing comes between gradient and push; otherwise rounding
// comes last.
TEST_F(ModelReplicaTest, TheNetworkRoundsWhatIsPushedAsItIs) {
  rounded_pool_ = &rounded_;
  const auto step = [&](int n_push) {
    network_ = CountingNetwork();
    ModelReplica replica = Computed(n_push, 1);
    EXPECT_EQ(replica.gradient().bfloats().size(), kParameters);
    EXPECT_TRUE(replica.PushDue());
    replica.PushDone(std::vector<uint64_t>{1, 2});
    EXPECT_TRUE(replica.gradient().empty());
    return network_.rounded_calls;
  };
  EXPECT_EQ(step(1), 1);
  EXPECT_EQ(step(2), 0);
  noise_.set_gradient_sigma(0.1f);
  EXPECT_EQ(step(1), 0);
  noise_.Clear();
  cluster_.set_gradient_compression(ClusterDescription::EIGHT_BIT);
  EXPECT_EQ(step(1), 0);
}

TEST_F(ModelReplicaTest, ADroppedMinibatchLeavesNoRoundedGradient) {
  rounded_pool_ = &rounded_;
  ModelReplica replica = Replica(1, 1);
  network_.bad_call = 1;
  network_.bad_value = std::numeric_limits<float>::infinity();
  replica.FetchDone({10, 20});
  EXPECT_EQ(replica.ComputeGradient(parameters_, network_).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(replica.gradient().empty());
  EXPECT_FALSE(replica.PushDue());
}

// Later gradients are added to this one, which must be in float32 for that.
TEST_F(ModelReplicaTest, RefusesARoundedGradientWhereNoPushIsDue) {
  rounded_pool_ = &rounded_;
  ModelReplica replica = Computed(2, 1);
  replica.PushDone(std::vector<uint64_t>{1, 2});
  replica.FetchDone({10, 20});
  ASSERT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
  ASSERT_FALSE(replica.PushDue());
  const std::vector<uint16_t> rounded(kParameters);
  const absl::Status status = Replica(2, 1).LoadState(replica.SaveState(), TensorView(rounded), {});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

// The one largest of three elements is pushed, always the last. What is left of the others is kept for later
// pushes, also over saving and loading.
TEST_F(ModelReplicaTest, ACompressedPushCarriesTheLargestAndKeepsTheRest) {
  cluster_.set_gradient_compression(ClusterDescription::TOP_K);
  cluster_.set_top_k_share(0.1f);
  rounded_pool_ = &rounded_;
  ModelReplica replica = Replica(1, 1);
  Step(replica);
  EXPECT_THAT(replica.residual(), ::testing::ElementsAre(1, 10, 0));
  ModelReplica restored = Replica(1, 1, /*slices=*/0);
  ASSERT_EQ(restored.LoadState(replica.SaveState(), kNone, replica.residual()), absl::OkStatus());
  restored.FetchDone({10, 20});
  ASSERT_TRUE(restored.ComputeGradient(parameters_, network_).ok());
  EXPECT_THAT(Widened(restored.gradient()), ::testing::ElementsAre(0, 0, 200));
  EXPECT_THAT(restored.residual(), ::testing::ElementsAre(3, 30, 0));
  EXPECT_EQ(Replica(1, 1).LoadState(replica.SaveState(), kNone, {1, 2}).code(),
            absl::StatusCode::kInvalidArgument);
}

// The third minibatch of a push is dropped. The two before it are compressed and pushed without it.
TEST_F(ModelReplicaTest, APushIsCompressedAlsoWhereItsLastMinibatchIsDropped) {
  cluster_.set_gradient_compression(ClusterDescription::TOP_K);
  cluster_.set_top_k_share(0.1f);
  rounded_pool_ = &rounded_;
  ModelReplica replica = Replica(3, 1);
  network_.bad_call = 4;
  network_.bad_value = std::numeric_limits<float>::quiet_NaN();
  for (int step = 0; step < 3; ++step) Step(replica);
  replica.FetchDone({10, 20});
  EXPECT_EQ(replica.ComputeGradient(parameters_, network_).code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(replica.PushDue());
  EXPECT_THAT(Widened(replica.gradient()), ::testing::ElementsAre(0, 0, 500));
}

TEST_F(ModelReplicaTest, ANoisyPushIsDroppedWithItsGradient) {
  noise_.set_push_drop_share(0.5);
  const std::vector<std::string> trace = Trace(1, 1, 10);
  int dropped = 0;
  for (size_t step = 0; step < trace.size(); ++step) {
    dropped += trace[step] == "FD";
    EXPECT_TRUE(trace[step] == "FD" || trace[step] == absl::StrCat("FP", step + 1)) << trace[step];
  }
  EXPECT_GT(dropped, 1);
  EXPECT_LT(dropped, 9);
}

TEST_F(ModelReplicaTest, ADuePushIsDroppedOrElseDelayedThenPushedThenRepeated) {
  noise_.set_push_delay_share(1);
  noise_.set_push_delay_s(3);
  noise_.set_push_repeat_share(1);
  EXPECT_THAT(Trace(1, 1, 2), ::testing::ElementsAre("FWP1P1", "FWP2P2")) << "the repeat follows at once";
  EXPECT_EQ(Computed(1, 1).NextPushAction().delay, absl::Seconds(3));
  noise_.set_push_drop_share(1);
  EXPECT_THAT(Trace(1, 1, 2), ::testing::ElementsAre("FD", "FD"));
}

TEST_F(ModelReplicaTest, AnAdversaryPushesScaledGradients) {
  noise_.set_adversary_share(1);
  noise_.set_adversary_scale(-2);
  EXPECT_THAT(Trace(1, 1, 2), ::testing::ElementsAre("FP-2", "FP-4"));
}

// For id 7, (sequence + id) is a multiple of 4 at pushes 1, 5, 9, ...
TEST_F(ModelReplicaTest, OneInFourPushesIsReportedWithItsSketch) {
  ModelReplica replica = Replica(1, 1);
  std::vector<int> sketched;
  for (int push = 1; push <= 9; ++push) {
    Step(replica);
    const ReportRequest report = replica.TakeReport();
    if (report.gradient_sketch().empty()) continue;
    sketched.push_back(push);
    double squares = 0;
    for (const float value : report.gradient_sketch()) squares += value * value;
    EXPECT_FLOAT_EQ(squares, 10101.0 * push * push);  // 1 + 100 + 10000, each in a bucket of its own
  }
  EXPECT_THAT(sketched, ::testing::ElementsAre(1, 5, 9));
}

TEST_F(ModelReplicaTest, ALatePushIsCountedApartAndItsGradientGivenUp) {
  ModelReplica replica = Computed(1, 1);
  replica.PushDone(std::vector<uint64_t>{3, 3}, /*late=*/true);
  EXPECT_TRUE(replica.gradient().empty());
  EXPECT_TRUE(replica.FetchDue());
  EXPECT_EQ(replica.NextPush(0).sequence, 2);
  const ReportRequest report = replica.TakeReport();
  EXPECT_EQ(report.pushes_late(), 1);
  EXPECT_EQ(report.pushes_applied(), 0);
  EXPECT_EQ(report.minibatches(), 1);
  EXPECT_EQ(report.staleness_size(), 0);
}

TEST_F(ModelReplicaTest, ReportsTotalsAndWhatIsNewSinceTheLastReport) {
  ModelReplica replica = Replica(1, 1, /*slices=*/2);
  Step(replica);
  Step(replica);
  Step(replica);
  const ReportRequest first = replica.TakeReport();
  EXPECT_EQ(first.report(), 1);
  EXPECT_EQ(first.minibatches(), 3);
  EXPECT_EQ(first.frames(), 30);
  EXPECT_EQ(first.pushes_applied(), 3);
  EXPECT_EQ(first.loss_sum(), 60);
  EXPECT_THAT(first.staleness(), ::testing::ElementsAre(2, 2, 2));  // mean of 1 and 2, rounded
  EXPECT_EQ(first.finished_size(), 1);
  EXPECT_FALSE(first.wants_slice());
  Step(replica);
  const ReportRequest second = replica.TakeReport();
  EXPECT_EQ(second.report(), 2);
  EXPECT_EQ(second.pushes_applied(), 4);
  EXPECT_EQ(second.staleness_size(), 1);
  EXPECT_EQ(second.finished_size(), 1);
  EXPECT_TRUE(second.wants_slice());
  EXPECT_TRUE(absl::IsNotFound(
      replica.FetchDue() ? (replica.FetchDone({1, 1}), replica.ComputeGradient(parameters_, network_))
                         : absl::OkStatus()));
}

class BadGradientTest : public ModelReplicaTest, public ::testing::WithParamInterface<float> {};

TEST_P(BadGradientTest, IsDroppedWholeAndCountedAndTrainingGoesOn) {
  network_.bad_call = 3;
  network_.bad_value = GetParam();
  ModelReplica replica = Replica(2, 1);
  EXPECT_EQ(Step(replica), "FP1");
  EXPECT_EQ(Step(replica), "F");
  replica.FetchDone({10, 20});
  EXPECT_TRUE(absl::IsDataLoss(replica.ComputeGradient(parameters_, network_)));
  // Step 2's push is due all the same, with the one gradient that is left.
  ASSERT_TRUE(replica.PushDue());
  EXPECT_THAT(replica.gradient().floats(), ::testing::ElementsAre(2, 20, 200));
  replica.PushDone(std::vector<uint64_t>{0, 0});
  EXPECT_EQ(Step(replica), "F");
  EXPECT_EQ(Step(replica), "FP9");
  const ReportRequest report = replica.TakeReport();
  EXPECT_EQ(report.pushes_rejected(), 1);
  EXPECT_EQ(report.pushes_applied(), 3);
  EXPECT_EQ(report.frames(), 50);
}

TEST_P(BadGradientTest, AloneInAPushLeavesNothingToPush) {
  network_.bad_call = 1;
  network_.bad_value = GetParam();
  ModelReplica replica = Replica(1, 1);
  replica.FetchDone({10, 20});
  EXPECT_TRUE(absl::IsDataLoss(replica.ComputeGradient(parameters_, network_)));
  EXPECT_FALSE(replica.PushDue());
  EXPECT_EQ(Step(replica), "FP2");
}

INSTANTIATE_TEST_SUITE_P(NotFinite, BadGradientTest,
                         ::testing::Values(std::numeric_limits<float>::quiet_NaN(),
                                           std::numeric_limits<float>::infinity(),
                                           -std::numeric_limits<float>::infinity()));

TEST_F(ModelReplicaTest, APushThatAShardRejectsIsCountedAndItsSequenceNotUsedAgain) {
  ModelReplica replica = Replica(1, 1);
  replica.FetchDone({1, 1});
  ASSERT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
  replica.PushRejected();
  EXPECT_EQ(replica.TakeReport().pushes_rejected(), 1);
  EXPECT_EQ(replica.NextPush(0).sequence, 2);
}

TEST_F(ModelReplicaTest, LogsEverMoreRarelyOfRejections) {
  ModelReplica replica = Replica(1, 1);
  std::string worth;
  for (int i = 1; i <= 9; ++i) {
    replica.FetchDone({1, 1});
    ASSERT_TRUE(replica.ComputeGradient(parameters_, network_).ok());
    replica.PushRejected();
    if (replica.RejectionIsWorthALine()) absl::StrAppend(&worth, i, " ");
  }
  EXPECT_EQ(worth, "1 2 4 8 ");
}

TEST_F(ModelReplicaTest, RefusesAStateThatContradictsItself) {
  ModelReplica replica = Replica(2, 1);
  EXPECT_TRUE(Replica(2, 1).LoadState(replica.SaveState(), kNone, {}).ok()) << "not begun";
  Step(replica);
  Step(replica);
  const ReplicaState good = replica.SaveState();
  const auto load = [&](void (*change)(ReplicaState*)) {
    ReplicaState state = good;
    change(&state);
    return Replica(2, 1).LoadState(state, replica.gradient(), {}).code();
  };
  EXPECT_EQ(load([](ReplicaState*) {}), absl::StatusCode::kOk);
  EXPECT_EQ(load([](ReplicaState* state) { state->clear_fetched_versions(); }), absl::StatusCode::kDataLoss);
  EXPECT_EQ(load([](ReplicaState* state) { state->set_step(-1); }), absl::StatusCode::kDataLoss);
  EXPECT_EQ(load([](ReplicaState* state) { state->set_sequence(0); }), absl::StatusCode::kDataLoss);
  EXPECT_EQ(load([](ReplicaState* state) { state->set_accumulated(9); }), absl::StatusCode::kDataLoss);
  EXPECT_EQ(load([](ReplicaState* state) { state->set_fetched_step(9); }), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace downpour
