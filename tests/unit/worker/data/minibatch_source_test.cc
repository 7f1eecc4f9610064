// Where on the data's way: between a replica's data slices and the network; every frame is dealt
// once, shuffled.
#include "worker/data/minibatch_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// 30 utterances of 0 to 9 frames; the one feature of a row is its number, its label that number modulo 5.
std::shared_ptr<const Dataset> Rows() {
  std::vector<Dataset::Utterance> utterances;
  std::vector<float> features;
  std::vector<int32_t> labels;
  for (int u = 0; u < 30; ++u) {
    utterances.push_back({absl::StrCat("u", u), static_cast<int64_t>(labels.size()), u % 10});
    for (int i = 0; i < u % 10; ++i) {
      features.push_back(static_cast<float>(labels.size()));
      labels.push_back(static_cast<int32_t>(labels.size() % 5));
    }
  }
  return std::make_shared<Dataset>(utterances, features, labels, 1, 1, 0, std::vector<bool>());
}

DataSlice Slice(int64_t epoch, int64_t index, int64_t begin, int64_t end) {
  DataSlice slice;
  slice.set_epoch(epoch);
  slice.set_index(index);
  slice.set_begin(begin);
  slice.set_end(end);
  return slice;
}

// The rows of the minibatch's labelled frames, each checked with its window and its label.
std::vector<int64_t> DealtRows(const Dataset& data, const Minibatch& minibatch) {
  EXPECT_EQ(minibatch.inputs.size(), minibatch.frames * 2);
  EXPECT_EQ(minibatch.labels.size(), minibatch.frames);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < minibatch.frames; ++i) {
    const int64_t row = std::lround(minibatch.inputs[2 * i + 1]);
    EXPECT_EQ(minibatch.labels[i], row % 5);
    const int64_t before = std::max(row - 1, data.UtteranceOf(row).first_frame);
    EXPECT_EQ(minibatch.inputs[2 * i], static_cast<float>(before));
    rows.push_back(row);
  }
  return rows;
}

std::vector<int64_t> Deal(MinibatchSource* source, const Dataset& data) {
  Minibatch minibatch;
  source->Next(&minibatch);
  return DealtRows(data, minibatch);
}

TEST(EpochOrder, IsAPermutationThatDependsOnSeedAndEpoch) {
  const std::vector<uint32_t> order = EpochOrder(3, 0, 1000);
  EXPECT_EQ(order, EpochOrder(3, 0, 1000));
  EXPECT_NE(order, EpochOrder(3, 1, 1000));
  EXPECT_NE(order, EpochOrder(4, 0, 1000));
  std::vector<uint32_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<uint32_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_NE(order, all);
  EXPECT_EQ(sorted, all);
  EXPECT_THAT(EpochOrder(3, 0, 0), IsEmpty());
}

TEST(MinibatchSource, DealsEachFrameOfAnEpochExactlyOnceInWholeMinibatches) {
  const auto data = Rows();
  for (const int64_t minibatch_frames : {1, 7, 20, 1000}) {
    MinibatchSource source(data, minibatch_frames, 11);
    std::map<int64_t, int> count;
    int64_t minibatches = 0;
    for (int64_t index = 0; index < 6; ++index) {
      ASSERT_TRUE(source.AddSlice(Slice(0, index, index * 5, index * 5 + 5)).ok());
      while (!source.needs_slice()) {
        const std::vector<int64_t> rows = Deal(&source, *data);
        EXPECT_THAT(rows, SizeIs(minibatch_frames));
        for (const int64_t row : rows) ++count[row];
        ++minibatches;
      }
    }
    EXPECT_EQ(minibatches, data->frames() / minibatch_frames);
    for (const int64_t row : Deal(&source, *data)) ++count[row];
    EXPECT_THAT(Deal(&source, *data), IsEmpty());
    EXPECT_THAT(count, SizeIs(data->frames()));
    for (const auto& [row, times] : count) EXPECT_EQ(times, 1) << row;
    EXPECT_EQ(source.TakeFinished().size(), 6);
  }
}

TEST(MinibatchSource, ASliceHoldsTheUtterancesAtItsPositionsInTheEpochsOrder) {
  const auto data = Rows();
  MinibatchSource source(data, 1000, 11);
  ASSERT_TRUE(source.AddSlice(Slice(2, 1, 4, 7)).ok());
  std::vector<int64_t> wanted;
  const std::vector<uint32_t> order = EpochOrder(11, 2, 30);
  for (int position = 4; position < 7; ++position) {
    const Dataset::Utterance& utterance = data->utterances()[order[position]];
    for (int64_t i = 0; i < utterance.frames; ++i) wanted.push_back(utterance.first_frame + i);
  }
  EXPECT_THAT(Deal(&source, *data), ::testing::UnorderedElementsAreArray(wanted));
}

TEST(MinibatchSource, ShufflesWithinASliceAnewEachEpoch) {
  const auto data = Rows();
  const auto whole_epoch = [&](int64_t epoch) {
    MinibatchSource source(data, 1000, 11);
    EXPECT_TRUE(source.AddSlice(Slice(epoch, 0, 0, 30)).ok());
    return Deal(&source, *data);
  };
  const std::vector<int64_t> rows = whole_epoch(0);
  EXPECT_EQ(rows, whole_epoch(0));
  EXPECT_NE(rows, whole_epoch(1));
  int neighbours = 0;
  for (size_t i = 1; i < rows.size(); ++i) neighbours += rows[i] == rows[i - 1] + 1;
  EXPECT_LT(neighbours, 10);  // of 135, about 1 by chance
}

TEST(MinibatchSource, ASliceIsFinishedWithItsLastFrame) {
  const auto data = Rows();
  const std::vector<uint32_t> order = EpochOrder(11, 0, 30);
  const auto frames = [&](int64_t begin, int64_t end) {
    int64_t sum = 0;
    for (int64_t i = begin; i < end; ++i) sum += data->utterances()[order[i]].frames;
    return sum;
  };
  const int64_t first = frames(0, 10);
  MinibatchSource source(data, first - 1, 11);
  ASSERT_TRUE(source.AddSlice(Slice(0, 0, 0, 10)).ok());
  Deal(&source, *data);
  EXPECT_TRUE(source.needs_slice());
  EXPECT_TRUE(source.TakeFinished().empty());  // one frame is left
  ASSERT_TRUE(source.AddSlice(Slice(0, 1, 10, 30)).ok());
  Deal(&source, *data);
  std::vector<DataSlice> finished = source.TakeFinished();
  ASSERT_EQ(finished.size(), 1);
  EXPECT_EQ(finished[0].index(), 0);
  EXPECT_EQ(finished[0].end(), 10);
  EXPECT_TRUE(source.TakeFinished().empty());
}

TEST(MinibatchSource, ASliceWithoutFramesIsFinishedAtOnce) {
  const auto data = Rows();
  MinibatchSource source(data, 5, 11);
  ASSERT_TRUE(source.AddSlice(Slice(0, 3, 7, 7)).ok());
  EXPECT_TRUE(source.needs_slice());
  EXPECT_EQ(source.TakeFinished().size(), 1);
}

TEST(MinibatchSource, RefusesSlicesOutsideTheDataSet) {
  MinibatchSource source(Rows(), 5, 11);
  for (const DataSlice& slice :
       {Slice(0, 0, 0, 31), Slice(0, 0, -1, 3), Slice(0, 0, 5, 4), Slice(-1, 0, 0, 3), Slice(0, -1, 0, 3)}) {
    EXPECT_EQ(source.AddSlice(slice).code(), absl::StatusCode::kInvalidArgument) << slice.ShortDebugString();
  }
  EXPECT_TRUE(source.needs_slice());
}

TEST(MinibatchSource, SavedAndLoadedItGoesOnExactly) {
  const auto data = Rows();
  MinibatchSource source(data, 8, 11);
  ASSERT_TRUE(source.AddSlice(Slice(0, 0, 0, 9)).ok());
  while (!source.needs_slice()) Deal(&source, *data);
  ASSERT_TRUE(source.AddSlice(Slice(0, 1, 9, 20)).ok());
  for (int i = 0; i < 3; ++i) Deal(&source, *data);

  MinibatchSource loaded(data, 8, 11);
  const MinibatchSourceState state = source.Save();
  EXPECT_EQ(state.finished_size(), 1);
  ASSERT_TRUE(loaded.Load(state).ok());
  EXPECT_EQ(loaded.Save().SerializeAsString(), state.SerializeAsString());
  for (MinibatchSource* each : {&source, &loaded}) ASSERT_TRUE(each->AddSlice(Slice(0, 2, 20, 30)).ok());
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(loaded.needs_slice(), source.needs_slice());
    EXPECT_EQ(Deal(&loaded, *data), Deal(&source, *data)) << i;
    const std::vector<DataSlice> finished = source.TakeFinished();
    const std::vector<DataSlice> finished_loaded = loaded.TakeFinished();
    ASSERT_EQ(finished_loaded.size(), finished.size());
    for (size_t k = 0; k < finished.size(); ++k) EXPECT_EQ(finished_loaded[k].index(), finished[k].index());
  }
}

TEST(MinibatchSource, RefusesAStateThatDoesNotFit) {
  const auto data = Rows();
  MinibatchSource source(data, 8, 11);
  ASSERT_TRUE(source.AddSlice(Slice(0, 0, 0, 9)).ok());
  const MinibatchSourceState good = source.Save();
  const auto refused = [&](auto change) {
    MinibatchSourceState state = good;
    change(&state);
    return MinibatchSource(data, 8, 11).Load(state).code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_FALSE(refused([](MinibatchSourceState*) {}));
  EXPECT_TRUE(refused([&](MinibatchSourceState* state) { state->set_frames(0, data->frames()); }));
  EXPECT_TRUE(refused([](MinibatchSourceState* state) { state->set_frames(0, uint64_t{1} << 48); }));
  EXPECT_TRUE(refused([](MinibatchSourceState* state) { state->clear_open(); }));
  EXPECT_TRUE(refused([](MinibatchSourceState* state) { state->mutable_open(0)->set_frames_left(1); }));
  EXPECT_TRUE(
      refused([](MinibatchSourceState* state) { state->mutable_open(0)->mutable_slice()->set_end(31); }));
}

}  // namespace
}  // namespace downpour
