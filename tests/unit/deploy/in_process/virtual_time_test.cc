// Where on the data's way: guards deploy/in_process/: virtual durations have the distributions that
// proto/config.proto states.
#include "deploy/in_process/virtual_time.h"

#include <cmath>
#include <functional>
#include <limits>

#include "gtest/gtest.h"

namespace downpour {
namespace {

constexpr int kDraws = 100000;

struct Moments {
  double mean = 0;
  double deviation = 0;
};

Moments MomentsOf(const std::function<double()>& draw, int draws = kDraws) {
  double sum = 0, squares = 0;
  for (int i = 0; i < draws; ++i) {
    const double value = draw();
    sum += value;
    squares += value * value;
  }
  const double mean = sum / draws;
  return {mean, std::sqrt(squares / draws - mean * mean)};
}

// Durations that are not random: computing takes 0.5 s, a message no time.
VirtualClockDescription Certain() {
  VirtualClockDescription description;
  description.set_compute_mean_s(0.5);
  description.set_compute_sigma(0);
  description.set_replica_speed_sigma(0);
  description.set_straggler_probability(0);
  description.set_latency_s(0);
  description.set_bandwidth_bytes_per_s(1e9);
  return description;
}

TEST(VirtualTimeTest, WithoutVariationEveryTimeIsTheMean) {
  ReplicaTimes times(1, 0, Certain());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(times.ComputeNs(Certain()), 500'000'000);
}

TEST(VirtualTimeTest, ComputeTimesAreLogNormalAroundTheirMedian) {
  VirtualClockDescription description = Certain();
  description.set_compute_sigma(0.3);
  ReplicaTimes times(1, 0, description);
  const Moments logs =
      MomentsOf([&] { return std::log(static_cast<double>(times.ComputeNs(description)) * 1e-9); });
  EXPECT_NEAR(logs.mean, std::log(0.5), 0.005);
  EXPECT_NEAR(logs.deviation, 0.3, 0.005);
}

TEST(VirtualTimeTest, SpeedIsDrawnOnceAReplica) {
  VirtualClockDescription description = Certain();
  description.set_replica_speed_sigma(0.2);
  uint32_t replica = 0;
  const Moments logs = MomentsOf(
      [&] {
        ReplicaTimes times(1, replica++, description);
        const int64_t first = times.ComputeNs(description);
        EXPECT_EQ(times.ComputeNs(description), first)
            << "the speed of replica " << replica - 1 << " changes";
        EXPECT_EQ(first, std::llround(0.5 * times.speed() * 1e9));
        return std::log(times.speed());
      },
      20000);
  EXPECT_NEAR(logs.mean, 0, 0.005);
  EXPECT_NEAR(logs.deviation, 0.2, 0.005);
}

TEST(VirtualTimeTest, StragglersAreThatShareAndThatMuchSlower) {
  VirtualClockDescription description = Certain();
  description.set_straggler_probability(0.1);
  description.set_straggler_factor(4);
  ReplicaTimes times(1, 0, description);
  int straggling = 0;
  for (int i = 0; i < kDraws; ++i) {
    const int64_t time = times.ComputeNs(description);
    ASSERT_TRUE(time == 500'000'000 || time == 2'000'000'000) << time;
    straggling += time == 2'000'000'000;
  }
  EXPECT_NEAR(straggling / double{kDraws}, 0.1, 0.004);
}

TEST(VirtualTimeTest, LatencyIsExponential) {
  VirtualClockDescription description = Certain();
  description.set_latency_s(0.02);
  ReplicaTimes times(1, 0, description);
  const Moments latency =
      MomentsOf([&] { return static_cast<double>(times.TransferNs(description, 0)) * 1e-9; });
  EXPECT_NEAR(latency.mean, 0.02, 0.0003);
  EXPECT_NEAR(latency.deviation, 0.02, 0.0005);
}

TEST(VirtualTimeTest, BytesTakeExactlyTheirShareOfTheBandwidth) {
  VirtualClockDescription description = Certain();
  description.set_bandwidth_bytes_per_s(2e6);
  ReplicaTimes without_latency(1, 0, description);
  EXPECT_EQ(without_latency.TransferNs(description, 0), 0);
  EXPECT_EQ(without_latency.TransferNs(description, 2), 1000);
  EXPECT_EQ(without_latency.TransferNs(description, 3'000'000), 1'500'000'000);

  description.set_latency_s(0.02);
  ReplicaTimes empty(1, 0, description), full(1, 0, description);
  for (int i = 0; i < 100; ++i) {
    const int64_t latency = empty.TransferNs(description, 0);
    EXPECT_NEAR(full.TransferNs(description, 3'000'000), latency + 1'500'000'000, 1);
  }
}

TEST(VirtualTimeTest, ReplicasAndSeedsDifferAndTheStateGoesOn) {
  const VirtualClockDescription description;
  ReplicaTimes times(1, 0, description), other_replica(1, 1, description), other_seed(2, 0, description);
  const int64_t first = times.ComputeNs(description);
  EXPECT_NE(first, other_replica.ComputeNs(description));
  EXPECT_NE(first, other_seed.ComputeNs(description));
  ReplicaTimes restored(times.random(), times.speed());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(restored.ComputeNs(description), times.ComputeNs(description));
    EXPECT_EQ(restored.TransferNs(description, 1000), times.TransferNs(description, 1000));
  }
}

TEST(VirtualTimeTest, ClockStandsStillButForSet) {
  VirtualClock clock;
  clock.Set(1500);
  clock.SleepFor(absl::Hours(1));
  EXPECT_EQ(clock.Now(), absl::UnixEpoch() + absl::Nanoseconds(1500));
}

TEST(VirtualTimeTest, NoDurationIsNegativeHoweverLongItWouldBe) {
  VirtualClockDescription description = Certain();
  description.set_compute_mean_s(1e300);
  description.set_latency_s(1e300);
  for (const double sigma : {0.0, 1e300}) {
    description.set_compute_sigma(sigma);
    description.set_replica_speed_sigma(sigma);
    ReplicaTimes times(/*seed=*/1, /*replica=*/0, description);
    for (int i = 0; i < 100; ++i) {
      EXPECT_GE(times.ComputeNs(description), 0);
      EXPECT_GT(times.TransferNs(description, 1), 0);
    }
  }
  EXPECT_GT(RoundNanoseconds(std::nan("")), 0);
  EXPECT_EQ(RoundNanoseconds(-1), 0);
  EXPECT_EQ(After(std::numeric_limits<int64_t>::max() - 1, absl::Seconds(1)),
            std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace downpour
