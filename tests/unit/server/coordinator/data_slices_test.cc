// Where on the data's way: from the coordinator to the replicas' data; slices are cut evenly, and each
// position is read once an epoch.
#include "server/coordinator/data_slices.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "common/random.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

DataSlices Make(int64_t utterances, int64_t frames, int64_t slice_frames) {
  return DataSlices::Create(utterances, frames, slice_frames).value();
}

TEST(DataSlicesTest, SlicesOfAnEpochCoverAllUtterancesAndDifferByAtMostOne) {
  for (const auto [utterances, frames, slice_frames, wanted] : std::vector<std::array<int64_t, 4>>{
           {10, 1000, 200, 5}, {10, 1001, 200, 6}, {7, 1000, 300, 4}, {3, 1000, 1, 3}, {5, 10, 1000, 1}}) {
    DataSlices slices = Make(utterances, frames, slice_frames);
    ASSERT_EQ(slices.slices_per_epoch(), wanted);
    int64_t next = 0;
    for (int64_t index = 0; index < wanted; ++index) {
      const DataSlice slice = slices.Deal(1);
      EXPECT_EQ(slice.epoch(), 0);
      EXPECT_EQ(slice.index(), index);
      EXPECT_EQ(slice.begin(), next);
      EXPECT_GE(slice.end() - slice.begin(), utterances / wanted);
      EXPECT_LE(slice.end() - slice.begin(), utterances / wanted + 1);
      next = slice.end();
    }
    EXPECT_EQ(next, utterances);
    EXPECT_EQ(slices.Deal(1).epoch(), 1);
  }
}

TEST(DataSlicesTest, AReturnedSliceIsDealtBeforeANewOne) {
  DataSlices slices = Make(10, 1000, 200);
  slices.Deal(1);
  slices.Deal(2);
  slices.Deal(1);
  EXPECT_EQ(slices.Return(1), 2);
  EXPECT_EQ(slices.Return(1), 0);
  EXPECT_EQ(slices.Deal(3).index(), 0);
  EXPECT_EQ(slices.Deal(3).index(), 2);
  EXPECT_EQ(slices.Deal(3).index(), 3);
}

TEST(DataSlicesTest, OnlyTheHolderFinishesASlice) {
  DataSlices slices = Make(10, 1000, 200);
  const DataSlice slice = slices.Deal(1);
  EXPECT_FALSE(slices.Finish(2, slice));
  EXPECT_TRUE(slices.Finish(1, slice));
  EXPECT_FALSE(slices.Finish(1, slice));
  EXPECT_EQ(slices.Return(1), 0);
}

TEST(DataSlicesTest, RefusesDataWithoutFrames) {
  EXPECT_EQ(DataSlices::Create(0, 10, 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DataSlices::Create(10, 0, 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DataSlices::Create(10, 10, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DataSlicesTest, LoadRefusesSlicesOfOtherData) {
  DataSlices slices = Make(10, 1000, 200);
  slices.Deal(1);
  const DataSlicesState state = slices.Save();
  EXPECT_EQ(Make(11, 1000, 200).Load(state).code(), absl::StatusCode::kInvalidArgument);
  DataSlicesState never_dealt = state;
  never_dealt.mutable_leases(0)->mutable_slice()->set_index(1);
  EXPECT_EQ(slices.Load(never_dealt).code(), absl::StatusCode::kInvalidArgument);
  DataSlicesState beyond = state;
  beyond.set_next_index(5);
  EXPECT_EQ(slices.Load(beyond).code(), absl::StatusCode::kInvalidArgument);
}

// Replicas take, finish and lose slices in random order; now and then everything is saved and loaded
// into another.
TEST(DataSlicesTest, EveryPositionOfAnEpochIsFinishedExactlyOnce) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const int64_t utterances = 1 + random.Below(40), frames = utterances * 100,
                  slice_frames = 1 + random.Below(900);
    DataSlices slices = Make(utterances, frames, slice_frames);
    std::map<uint64_t, std::vector<DataSlice>> held;
    std::map<int64_t, std::vector<int>> times_read;  // [epoch][position]
    const auto finish = [&](uint64_t replica) {
      const DataSlice slice = held[replica].back();
      held[replica].pop_back();
      ASSERT_TRUE(slices.Finish(replica, slice));
      std::vector<int>& times = times_read[slice.epoch()];
      times.resize(utterances);
      for (int64_t position = slice.begin(); position < slice.end(); ++position) ++times[position];
    };
    int64_t last_epoch = 0;
    for (int step = 0; step < 300; ++step) {
      const uint64_t replica = 1 + random.Below(6), choice = random.Below(20);
      if (choice < 9) {
        held[replica].push_back(slices.Deal(replica));
        last_epoch = std::max(last_epoch, held[replica].back().epoch());
      } else if (choice < 17 && !held[replica].empty()) {
        std::swap(held[replica].back(), held[replica][random.Below(held[replica].size())]);
        finish(replica);
      } else if (choice < 19) {
        EXPECT_EQ(slices.Return(replica), static_cast<int64_t>(held[replica].size()));
        held[replica].clear();
      } else {
        DataSlices other = Make(utterances, frames, slice_frames);
        ASSERT_TRUE(other.Load(slices.Save()).ok());
        slices = other;
      }
    }
    for (auto& [replica, of_replica] : held) {
      while (!of_replica.empty()) finish(replica);
    }
    while (times_read.rbegin()->first <=
           last_epoch) {  // what the replicas lost, and the rest of the last epoch
      held[1].push_back(slices.Deal(1));
      finish(1);
    }
    for (int64_t epoch = 0; epoch <= last_epoch; ++epoch) {
      EXPECT_EQ(times_read[epoch], std::vector<int>(utterances, 1)) << "seed " << seed << " epoch " << epoch;
    }
  }
}

}  // namespace
}  // namespace downpour
