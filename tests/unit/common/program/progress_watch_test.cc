// Where on the data's way: common/program, while a server runs; when it counts as stuck.
#include "common/program/progress_watch.h"

#include <gtest/gtest.h>

namespace downpour {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1000);

TEST(ProgressWatch, IsStuckWhenWorkWaitsAndNothingIsDone) {
  ProgressWatch watch(absl::Seconds(60));
  EXPECT_TRUE(watch.Look(5, true, kStart));
  EXPECT_TRUE(watch.Look(5, true, kStart + absl::Seconds(59)));
  EXPECT_FALSE(watch.Look(5, true, kStart + absl::Seconds(60)));
  EXPECT_TRUE(watch.Look(6, true, kStart + absl::Seconds(61)));
}

TEST(ProgressWatch, WhoHasNothingToDoIsNotStuck) {
  ProgressWatch watch(absl::Seconds(60));
  EXPECT_TRUE(watch.Look(5, false, kStart));
  EXPECT_TRUE(watch.Look(5, false, kStart + absl::Hours(1)));
  EXPECT_TRUE(watch.Look(5, true, kStart + absl::Hours(1) + absl::Seconds(59)));
}

}  // namespace
}  // namespace downpour
