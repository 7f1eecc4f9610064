// Where on the data's way: in every client; which calls are repeated, after which waits, and for how long.
#include "common/back_off.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

// Answers with `statuses` in turn, then always with the last one, and notes when it was called.
class Attempts {
 public:
  explicit Attempts(std::vector<absl::Status> statuses) : statuses_(std::move(statuses)) {}

  absl::StatusOr<int> Run(const RetryPolicy& policy, uint64_t seed = 1) {
    Random random(seed);
    return CallWithRetries(policy, &clock_, &random, [this]() -> absl::StatusOr<int> {
      const size_t attempt = times.size();
      times.push_back(clock_.Now());
      const absl::Status& status = statuses_[std::min(attempt, statuses_.size() - 1)];
      if (!status.ok()) return status;
      return static_cast<int>(attempt);
    });
  }

  std::vector<absl::Time> times;

 private:
  FakeClock clock_;
  std::vector<absl::Status> statuses_;
};

TEST(CallWithRetries, RetriesOnlyWhatPasses) {
  Attempts transient({absl::UnavailableError(""), absl::ResourceExhaustedError(""),
                      absl::DeadlineExceededError(""), absl::OkStatus()});
  EXPECT_EQ(*transient.Run({}), 3);
  for (const absl::Status& status : {absl::InvalidArgumentError(""), absl::FailedPreconditionError(""),
                                     absl::NotFoundError(""), absl::DataLossError("")}) {
    Attempts final({status, absl::OkStatus()});
    EXPECT_EQ(final.Run({}).status().code(), status.code());
    EXPECT_EQ(final.times.size(), 1);
  }
}

TEST(CallWithRetries, WaitsLongerAndLongerUpToTheLongest) {
  Attempts attempts({absl::UnavailableError("")});
  const RetryPolicy policy{.first_wait = absl::Milliseconds(10), .longest_wait = absl::Milliseconds(100)};
  EXPECT_TRUE(absl::IsUnavailable(attempts.Run(policy).status()));
  absl::Duration wait = policy.first_wait;
  for (size_t i = 1; i < attempts.times.size(); ++i) {
    const absl::Duration waited = attempts.times[i] - attempts.times[i - 1];
    EXPECT_GE(waited, wait / 2);
    EXPECT_LE(waited, wait);
    wait = std::min(2 * wait, policy.longest_wait);
  }
}

TEST(CallWithRetries, GivesUpInTime) {
  Attempts attempts({absl::UnavailableError("")});
  EXPECT_TRUE(absl::IsUnavailable(attempts.Run({}).status()));
  const absl::Duration tried = attempts.times.back() - attempts.times.front();
  EXPECT_LE(tried, absl::Seconds(120));
  EXPECT_GE(tried, absl::Seconds(119));
}

TEST(CallWithRetries, StopsWhenTold) {
  Attempts attempts({absl::UnavailableError("")});
  RetryPolicy policy;
  policy.stopped = [&] { return attempts.times.size() == 3; };
  EXPECT_TRUE(absl::IsCancelled(attempts.Run(policy).status()));
  EXPECT_EQ(attempts.times.size(), 3);
}

TEST(CallWithRetries, DoesNotBringClientsBackTogether) {
  std::vector<absl::Time> second_attempts;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Attempts attempts({absl::UnavailableError(""), absl::OkStatus()});
    ASSERT_TRUE(attempts.Run({}, seed).ok());
    second_attempts.push_back(attempts.times[1]);
  }
  EXPECT_NE(second_attempts[0], second_attempts[1]);
  EXPECT_NE(second_attempts[1], second_attempts[2]);
}

}  // namespace
}  // namespace downpour
