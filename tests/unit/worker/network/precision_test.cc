// Where on the data's way: before the network is made; when AUTO becomes bfloat16.
#include "worker/network/precision.h"

#include <gtest/gtest.h>

namespace downpour {
namespace {

TEST(PrecisionTest, AutoTakesBfloat16OnlyWhereTheCpuGainsAndTheMinibatchIsLargeEnough) {
  const auto resolved = [](int64_t max_frames, Bfloat16Support cpu) {
    return *ResolvePrecision(NetworkDescription::AUTO, max_frames, cpu);
  };
  EXPECT_EQ(resolved(100, Bfloat16Support::kFaster), NetworkDescription::BFLOAT16);
  EXPECT_EQ(resolved(kBfloat16MinFrames, Bfloat16Support::kFaster), NetworkDescription::BFLOAT16);
  EXPECT_EQ(resolved(kBfloat16MinFrames - 1, Bfloat16Support::kFaster), NetworkDescription::FLOAT32);
  EXPECT_EQ(resolved(100, Bfloat16Support::kNative), NetworkDescription::FLOAT32);
  EXPECT_EQ(resolved(100, Bfloat16Support::kNone), NetworkDescription::FLOAT32);
}

TEST(PrecisionTest, WhatTheRunDescriptionAsksForIsUsed) {
  for (Bfloat16Support cpu : {Bfloat16Support::kNone, Bfloat16Support::kNative, Bfloat16Support::kFaster}) {
    EXPECT_EQ(*ResolvePrecision(NetworkDescription::FLOAT32, 100, cpu), NetworkDescription::FLOAT32);
  }
  for (Bfloat16Support cpu : {Bfloat16Support::kNative, Bfloat16Support::kFaster}) {
    EXPECT_EQ(*ResolvePrecision(NetworkDescription::BFLOAT16, 1, cpu), NetworkDescription::BFLOAT16);
  }
}

TEST(PrecisionTest, Bfloat16OnACpuWithoutItIsUnimplemented) {
  EXPECT_EQ(ResolvePrecision(NetworkDescription::BFLOAT16, 100, Bfloat16Support::kNone).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace downpour
