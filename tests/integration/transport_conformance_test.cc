// Where on the data's way: guards every transport between replica and shard: what each must do, however it
// carries the bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <limits>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "common/wire/chunk_codec.h"
#include "tests/testing/integer_shard.h"
#include "tests/testing/transport.h"

namespace downpour {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

class TransportConformance : public ::testing::TestWithParam<TransportKind> {
 protected:
  void Serve(int64_t size, const IntegerShardOptions& options = {}) {
    client_.reset();  // must not outlive its transport
    shard_ = IntegerShard(size, options);
    transport_ = GetParam().serve(shard_);
    client_ = transport_->Connect(shard_->run());
  }
  std::vector<float> Fetched() {
    std::vector<float> parameters(shard_->range().size(), -1);
    const absl::StatusOr<uint64_t> version = client_->Fetch(absl::MakeSpan(parameters));
    EXPECT_TRUE(version.ok()) << version.status();
    return parameters;
  }

  // The value as it arrives at the shard.
  static float Carried(float value) { return GetParam().bfloat16 ? FromBfloat16(ToBfloat16(value)) : value; }

  std::shared_ptr<ParameterShard> shard_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ShardClient> client_;
};

INSTANTIATE_TEST_SUITE_P(All, TransportConformance, ::testing::ValuesIn(AllTransports()),
                         [](const auto& info) { return info.param.name; });

TEST_P(TransportConformance, FetchesWhatWasPushed) {
  for (const int64_t size : {int64_t{1}, int64_t{2}, int64_t{5}, int64_t{1023}, kChunkElements - 1,
                             kChunkElements, kChunkElements + 1, 5 * kChunkElements + 3}) {
    Serve(size);
    EXPECT_EQ(client_->range(), shard_->range());
    std::vector<float> gradient(size);
    for (int64_t i = 0; i < size; ++i) gradient[i] = static_cast<float>(i % 4093 - 2000);
    const absl::StatusOr<PushOutcome> outcome =
        client_->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, gradient);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_EQ(outcome->version, 1);
    EXPECT_FALSE(outcome->duplicate);
    const std::vector<float> parameters = Fetched();
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(parameters[i], -Carried(gradient[i])) << i << " of " << size;
  }
}

OptimizerDescription RuleOfPlanes(size_t planes) {
  constexpr OptimizerDescription::Kind kRules[] = {
      OptimizerDescription::SGD, OptimizerDescription::DIAGONAL_HESSIAN, OptimizerDescription::VSGD};
  OptimizerDescription rule;
  rule.set_kind(kRules[planes - 1]);
  rule.set_start_updates(1);
  rule.set_minibatch(1);
  return rule;
}

// Every plane must reach the rule beside its own keys: the parameters are those of the rule alone.
TEST_P(TransportConformance, AppliesEveryPlaneOfEachPush) {
  for (const size_t planes : {1, 2, 3}) {
    for (const int64_t size : {int64_t{1}, int64_t{1023}, kChunkElements + 1, 2 * kChunkElements + 3}) {
      SCOPED_TRACE(absl::StrCat(planes, " planes of ", size));
      Serve(size, {.optimizer = RuleOfPlanes(planes)});
      const auto rule = *Optimizer::Create(RuleOfPlanes(planes));
      std::vector<std::vector<float>> state(rule->state_names().size(), std::vector<float>(size));
      std::vector<float*> pointers;
      for (std::vector<float>& vector : state) pointers.push_back(vector.data());
      std::vector<float> wanted(size);
      for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
        std::vector<std::vector<float>> sent(planes, std::vector<float>(size)), carried = sent;
        for (size_t plane = 0; plane < planes; ++plane) {
          for (int64_t i = 0; i < size; ++i) {
            sent[plane][i] = static_cast<float>(RandomAt(sequence * 3 + plane, i) % 4093 + 1) / 1024;
            carried[plane][i] = Carried(sent[plane][i]);
          }
        }
        PushPlanes push(sent[0]);
        for (size_t plane = 1; plane < planes; ++plane) push.Add(sent[plane]);
        const PushHeader header{.replica_id = 1, .incarnation = 1, .sequence = sequence};
        const absl::StatusOr<PushOutcome> outcome = client_->Push(header, push);
        ASSERT_TRUE(outcome.ok()) << outcome.status();
        EXPECT_TRUE(client_->Push(header, push)->duplicate);
        UpdateStep step;
        if (planes > 1) step.curvature = carried[1];
        if (planes > 2) step.squares = carried[2];
        rule->Apply(step, carried[0], absl::MakeSpan(wanted), pointers);
      }
      const std::vector<float> parameters = Fetched();
      for (int64_t i = 0; i < size; ++i) ASSERT_EQ(parameters[i], Carried(wanted[i])) << i;
      EXPECT_EQ(shard_->version(), 3);
    }
  }
}

TEST_P(TransportConformance, RefusesPlanesThatTheRuleDoesNotTake) {
  for (const size_t taken : {1, 2, 3}) {
    Serve(10, {.optimizer = RuleOfPlanes(taken)});
    for (const size_t planes : {1, 2, 3}) {
      if (planes == taken || (taken == 2 && planes == 1)) continue;
      const std::vector<float> plane(10, 1);
      PushPlanes push(plane);
      while (push.size() < planes) push.Add(plane);
      const absl::Status status =
          client_->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, push).status();
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("a push of ", planes, " planes")));
    }
    EXPECT_THAT(Fetched(), Each(0));
  }
}

TEST_P(TransportConformance, RejectsAFurtherPlaneThatIsNotFinite) {
  Serve(kChunkElements + 10, {.optimizer = RuleOfPlanes(3)});
  const std::vector<float> gradient(kChunkElements + 10, 1);
  std::vector<float> squares = gradient;
  squares[77] = std::numeric_limits<float>::infinity();
  PushPlanes push(gradient);
  push.Add(gradient);
  push.Add(squares);
  const absl::Status status =
      client_->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, push).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("squares of key 1077 is inf"));
  EXPECT_EQ(shard_->Status().pushes_rejected(), 1);
}

TEST_P(TransportConformance, TellsVersionAndStaleness) {
  Serve(10);
  const std::vector<float> gradient(10, 1);
  std::vector<float> parameters(10);
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    ASSERT_TRUE(client_->Push({.replica_id = 1, .incarnation = 1, .sequence = sequence}, gradient).ok());
  }
  EXPECT_EQ(*client_->Fetch(absl::MakeSpan(parameters)), 3);
  const absl::StatusOr<PushOutcome> outcome =
      client_->Push({.replica_id = 2, .incarnation = 1, .sequence = 1, .fetched_version = 1}, gradient);
  EXPECT_EQ(outcome->version, 4);
  EXPECT_EQ(outcome->staleness, 2);
}

TEST_P(TransportConformance, StepsLessWithAStalePush) {
  Serve(kChunkElements + 10, {.staleness_exponent = 1});
  const std::vector<float> gradient(kChunkElements + 10, 1);
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const PushHeader fresh{
        .replica_id = 1, .incarnation = 1, .sequence = sequence, .fetched_version = sequence - 1};
    ASSERT_TRUE(client_->Push(fresh, gradient).ok());
  }
  ASSERT_TRUE(client_->Push({.replica_id = 2, .incarnation = 1, .sequence = 1}, gradient).ok());
  EXPECT_THAT(Fetched(), Each(-3.25f));  // the last is 3 updates old: 1 / (1 + 3)
}

TEST_P(TransportConformance, AppliesARepeatedPushOnce) {
  Serve(kChunkElements + 10);
  const std::vector<float> gradient(kChunkElements + 10, 1);
  const PushHeader header{.replica_id = 1, .incarnation = 1, .sequence = 1};
  EXPECT_FALSE(client_->Push(header, gradient)->duplicate);
  EXPECT_TRUE(client_->Push(header, gradient)->duplicate);
  EXPECT_TRUE(transport_->Connect(shard_->run())->Push(header, gradient)->duplicate);
  EXPECT_THAT(Fetched(), Each(-1));
  EXPECT_EQ(shard_->version(), 1);
}

TEST_P(TransportConformance, AppliesALatePushOnce) {
  Serve(10);
  const std::vector<float> gradient(10, 1);
  for (const uint64_t sequence : {1, 2, 1, 2, 3, 1}) {
    ASSERT_TRUE(client_->Push({.replica_id = 1, .incarnation = 1, .sequence = sequence}, gradient).ok());
  }
  EXPECT_THAT(Fetched(), Each(-3));
  const absl::StatusOr<PushOutcome> old =
      client_->Push({.replica_id = 1, .incarnation = 0, .sequence = 9}, gradient);
  EXPECT_TRUE(absl::IsAborted(old.status())) << old.status();
  EXPECT_THAT(Fetched(), Each(-3));
}

TEST_P(TransportConformance, TellsThatAPushIsLateAndAppliesNothingOfIt) {
  constexpr int64_t kSize = 2 * kChunkElements + 10;
  Serve(kSize, {.rounds = {.pushes = 2}});
  const std::vector<float> gradient(kSize, 3), other(kSize, 5);
  EXPECT_FALSE(client_->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, gradient)->late);
  EXPECT_THAT(Fetched(), Each(0)) << "the round is not complete";
  EXPECT_FALSE(client_->Push({.replica_id = 2, .incarnation = 1, .sequence = 1}, other)->late);
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto outcome = client_->Push({.replica_id = 3, .incarnation = 1, .sequence = 1}, gradient);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    EXPECT_TRUE(outcome->late);
    EXPECT_FALSE(outcome->duplicate);
    EXPECT_EQ(outcome->staleness, 1);
  }
  EXPECT_THAT(Fetched(), Each(-4));
  EXPECT_EQ(shard_->version(), 2);
}

TEST_P(TransportConformance, RefusesAnotherRunAndAnotherLayout) {
  Serve(10);
  const std::vector<float> gradient(10, 1);
  std::vector<float> parameters(10, 5);
  RunKey other_run = shard_->run();
  other_run.run_id = "another run";
  RunKey other_layout = shard_->run();
  ++other_layout.layout_fingerprint;
  for (const RunKey& run : {other_run, other_layout}) {
    const std::unique_ptr<ShardClient> client = transport_->Connect(run);
    const absl::Status pushed =
        client->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, gradient).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(pushed)) << pushed;
    EXPECT_THAT(pushed.message(), HasSubstr("want"));
    const absl::Status fetched = client->Fetch(absl::MakeSpan(parameters)).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(fetched)) << fetched;
  }
  EXPECT_THAT(Fetched(), Each(0));
}

TEST_P(TransportConformance, RefusesAVectorOfAnotherLength) {
  Serve(10);
  std::vector<float> vector(11, 1);
  for (const size_t size : {0, 9, 11}) {
    const absl::Status pushed =
        client_->Push({.replica_id = 1, .incarnation = 1, .sequence = 1}, absl::MakeSpan(vector).first(size))
            .status();
    EXPECT_TRUE(absl::IsInvalidArgument(pushed)) << pushed;
    EXPECT_TRUE(absl::IsInvalidArgument(client_->Fetch(absl::MakeSpan(vector).first(size)).status()));
  }
  EXPECT_THAT(Fetched(), Each(0));
}

TEST_P(TransportConformance, RejectsWhatIsNotFiniteAndGoesOn) {
  Serve(kChunkElements + 10);
  std::vector<float> gradient(kChunkElements + 10, 1);
  uint64_t sequence = 0;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    gradient[77] = bad;
    const PushHeader header{.replica_id = 1, .incarnation = 1, .sequence = ++sequence};
    const absl::Status pushed = client_->Push(header, gradient).status();
    EXPECT_TRUE(absl::IsInvalidArgument(pushed)) << pushed;
    EXPECT_THAT(pushed.message(), HasSubstr("1077"));
    EXPECT_TRUE(absl::IsInvalidArgument(client_->Push(header, gradient).status()));
  }
  EXPECT_THAT(Fetched(), Each(0));
  EXPECT_EQ(shard_->Status().pushes_rejected(), 3);
  gradient[77] = 1;
  EXPECT_TRUE(client_->Push({.replica_id = 1, .incarnation = 1, .sequence = ++sequence}, gradient).ok());
  EXPECT_THAT(Fetched(), Each(-1));
}

TEST_P(TransportConformance, SumsTheIntegersOf200ReplicasExactly) {
  constexpr int64_t kSize = kChunkElements + 4321;
  constexpr int kReplicas = 200;
  constexpr uint64_t kPushes = 3;
  Serve(kSize);
  const auto element = [](int replica, uint64_t sequence, int64_t key) {
    return static_cast<float>(static_cast<int64_t>(RandomAt(replica * kPushes + sequence, key) % 17) - 8);
  };
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int replica = 0; replica < kReplicas; ++replica) {
    threads.emplace_back([&, replica] {
      const std::unique_ptr<ShardClient> client = transport_->Connect(shard_->run());
      std::vector<float> gradient(kSize);
      PushHeader header{.replica_id = static_cast<uint64_t>(replica + 1), .incarnation = 1};
      for (header.sequence = 1; header.sequence <= kPushes; ++header.sequence) {
        for (int64_t key = 0; key < kSize; ++key) gradient[key] = element(replica, header.sequence, key);
        if (!client->Push(header, gradient).ok()) ++failures;
        // Every seventh push is sent twice, as after a lost acknowledgement.
        if (replica % 7 == 0 && !client->Push(header, gradient)->duplicate) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);

  const std::vector<float> parameters = Fetched();
  for (int64_t key = 0; key < kSize; ++key) {
    float sum = 0;
    for (int replica = 0; replica < kReplicas; ++replica) {
      for (uint64_t sequence = 1; sequence <= kPushes; ++sequence) sum += element(replica, sequence, key);
    }
    ASSERT_EQ(parameters[key], Carried(-sum)) << key;
  }
  EXPECT_EQ(shard_->version(), kReplicas * kPushes);
}

TEST_P(TransportConformance, FetchesWhileOthersPush) {
  constexpr int64_t kSize = 3 * kChunkElements;
  constexpr size_t kVersionsToSee = 20;
  Serve(kSize);
  std::atomic<bool> enough = false;
  std::jthread pusher([&] {
    const std::unique_ptr<ShardClient> client = transport_->Connect(shard_->run());
    const std::vector<float> gradient(kSize, 1);
    for (uint64_t sequence = 1; !enough; ++sequence) {
      EXPECT_TRUE(client->Push({.replica_id = 1, .incarnation = 1, .sequence = sequence}, gradient).ok());
    }
  });
  const absl::Cleanup stop = [&] { enough = true; };  // before the thread is joined, even if a check fails
  const absl::Time deadline = Clock::Real()->Now() + absl::Minutes(2);
  std::set<uint64_t> versions;
  while (versions.size() < kVersionsToSee) {
    ASSERT_LT(Clock::Real()->Now(), deadline) << versions.size() << " versions seen";
    std::vector<float> parameters(kSize);
    const absl::StatusOr<uint64_t> version = client_->Fetch(absl::MakeSpan(parameters));
    ASSERT_TRUE(version.ok()) << version.status();
    EXPECT_TRUE(versions.empty() || *version >= *versions.rbegin()) << "a version went back";
    versions.insert(*version);
    // In a chunk, every push that the version counts must be applied, and none may be applied in part.
    for (int64_t chunk = 0; chunk < 3; ++chunk) {
      const auto values = absl::MakeConstSpan(parameters).subspan(chunk * kChunkElements, kChunkElements);
      ASSERT_EQ(std::count(values.begin(), values.end(), values[0]), std::ssize(values));
      EXPECT_LE(values[0], Carried(-static_cast<float>(*version)));
    }
  }
}

}  // namespace
}  // namespace downpour
