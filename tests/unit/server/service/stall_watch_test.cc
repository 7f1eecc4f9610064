// Where on the data's way: at the shard's end of the wire; which streams have moved nothing for too long.
#include "server/service/stall_watch.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

class RecordingStream final : public StallWatch::Stream {
 public:
  void Keep() override { kept = true; }
  void Cancel() override {
    EXPECT_TRUE(kept) << "it may be gone";
    ++cancelled;
  }

  bool kept = false;
  int cancelled = 0;
};

TEST(StallWatchTest, EndsWhatIsUnderWayForLongerThanAllowedAndNothingElse) {
  FakeClock clock;
  StallWatch watch(absl::Seconds(16), &clock);
  RecordingStream stalled, done, again;
  watch.Begin(&stalled, &stalled);
  watch.Begin(&done, &done);
  watch.Begin(&again, &again);
  clock.SleepFor(absl::Seconds(16));
  EXPECT_EQ(watch.EndStalled(), 0);
  watch.Done(&done);
  watch.Begin(&again, &again);  // its next transfer
  clock.SleepFor(absl::Seconds(1));
  EXPECT_EQ(watch.EndStalled(), 1);
  EXPECT_EQ(watch.EndStalled(), 0) << "once";
  EXPECT_EQ(stalled.cancelled, 1);
  EXPECT_EQ(done.cancelled + again.cancelled, 0);
  watch.Done(&stalled);
  clock.SleepFor(absl::Seconds(16));
  EXPECT_EQ(watch.EndStalled(), 1);
  EXPECT_EQ(again.cancelled, 1);
}

TEST(StallWatchTest, OneTransferThatStallsEndsItsStreamOnceWhateverItsOthersDo) {
  FakeClock clock;
  StallWatch watch(absl::Seconds(16), &clock);
  RecordingStream stream;
  const int stalled = 1, also_stalled = 2, renewed = 3;
  watch.Begin(&stalled, &stream);
  watch.Begin(&also_stalled, &stream);
  watch.Begin(&renewed, &stream);
  clock.SleepFor(absl::Seconds(16));
  watch.Renew(&renewed);
  clock.SleepFor(absl::Seconds(1));
  EXPECT_EQ(watch.EndStalled(), 1);
  EXPECT_EQ(stream.cancelled, 1);
  watch.Renew(&renewed);
  clock.SleepFor(absl::Seconds(17));
  EXPECT_EQ(watch.EndStalled(), 0) << "its transfers are forgotten";
}

TEST(StallWatchTest, ATransferIsRenewedOnlyWhileItIsUnderWay) {
  FakeClock clock;
  StallWatch watch(absl::Seconds(16), &clock);
  RecordingStream stream;
  watch.Begin(&stream, &stream);
  clock.SleepFor(absl::Seconds(16));
  watch.Renew(&stream);
  clock.SleepFor(absl::Seconds(16));
  EXPECT_EQ(watch.EndStalled(), 0);
  watch.Done(&stream);
  watch.Renew(&stream);
  clock.SleepFor(absl::Seconds(17));
  EXPECT_EQ(watch.EndStalled(), 0);
}

}  // namespace
}  // namespace downpour
