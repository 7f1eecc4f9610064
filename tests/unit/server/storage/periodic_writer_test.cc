// Where on the data's way: parameters at rest; when a periodic writer writes, and when it does not.
#include "server/storage/periodic_writer.h"

#include <atomic>
#include <optional>

#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = Clock::Real()->Now() + absl::Seconds(60);
  while (!condition() && Clock::Real()->Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  return condition();
}

TEST(PeriodicWriterTest, WritesAgainAndAgainAlsoAfterFailures) {
  std::atomic<int> writes = 0;
  PeriodicWriter writer(absl::Milliseconds(1), [&] {
    return ++writes < 3 ? absl::UnavailableError("the disk is away") : absl::OkStatus();
  });
  EXPECT_TRUE(Eventually([&] { return writes >= 5; }));
}

TEST(PeriodicWriterTest, WritesNothingByItselfWithoutAnInterval) {
  int writes = 0;
  std::optional<PeriodicWriter> writer;
  writer.emplace(absl::InfiniteDuration(),
                 [&] { return ++writes == 1 ? absl::OkStatus() : absl::DataLossError(""); });
  EXPECT_TRUE(writer->WriteNow().ok());
  EXPECT_EQ(writer->WriteNow().code(), absl::StatusCode::kDataLoss);
  writer.reset();
  EXPECT_EQ(writes, 2);
}

TEST(PeriodicWriterTest, TheFirstOneMayBeWrittenAtOnce) {
  std::atomic<int> writes = 0;
  const auto write = [&] {
    ++writes;
    return absl::OkStatus();
  };
  PeriodicWriter writer(
      absl::Hours(1), write, [] { return true; }, Clock::Real(), /*at_once=*/true);
  EXPECT_TRUE(Eventually([&] { return writes == 1; }));
}

TEST(PeriodicWriterTest, WhatIsNotDueIsWrittenByWriteNowOnly) {
  std::atomic<int> asked = 0, writes = 0;
  std::atomic<bool> due = false;
  PeriodicWriter writer(
      absl::Milliseconds(1),
      [&] {
        ++writes;
        return absl::OkStatus();
      },
      [&] {
        ++asked;
        return due.load();
      });
  EXPECT_TRUE(Eventually([&] { return asked >= 3; }));
  EXPECT_EQ(writes, 0);
  EXPECT_TRUE(writer.WriteNow().ok());
  EXPECT_EQ(writes, 1);
  due = true;
  EXPECT_TRUE(Eventually([&] { return writes >= 2; }));
}

TEST(PeriodicWriterTest, OneWriteAtATimeAndTheEndWaitsForIt) {
  std::atomic<int> under_way = 0, writes = 0;
  absl::Notification begun, go_on;
  {
    PeriodicWriter writer(absl::Milliseconds(1), [&] {
      EXPECT_EQ(++under_way, 1);
      if (++writes == 1) {
        begun.Notify();
        go_on.WaitForNotification();
      }
      --under_way;
      return absl::OkStatus();
    });
    begun.WaitForNotification();
    std::thread now([&] { EXPECT_TRUE(writer.WriteNow().ok()); });
    go_on.Notify();
    now.join();
  }
  EXPECT_EQ(under_way, 0);
  const int at_the_end = writes;
  absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(writes, at_the_end);
}

}  // namespace
}  // namespace downpour
