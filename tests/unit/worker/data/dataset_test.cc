// Where on the data's way: between the data's files and minibatches; windows of frames, and shares of labels.
#include "worker/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace downpour {
namespace {

using ::testing::ElementsAre;

// Two utterances of one feature, whose value is 10 * row of the data set.
Dataset Rows(int32_t left_context, int32_t right_context) {
  std::vector<float> features;
  for (int row = 0; row < 7; ++row) features.push_back(static_cast<float>(10 * row));
  return Dataset({{"a", 0, 4}, {"b", 4, 3}}, features, {0, 1, 1, 1, 2, 0, 5}, 1, left_context, right_context,
                 {});
}

std::vector<float> Window(const Dataset& data, int utterance, int64_t frame) {
  std::vector<float> input(data.input_dim(), -1);
  data.CopyWindow(data.utterances()[utterance], frame, absl::MakeSpan(input));
  return input;
}

TEST(Dataset, WindowsRepeatEdgeFramesOfTheirOwnUtterance) {
  const Dataset data = Rows(2, 1);
  EXPECT_EQ(data.input_dim(), 4);
  EXPECT_THAT(Window(data, 0, 0), ElementsAre(0, 0, 0, 10));
  EXPECT_THAT(Window(data, 0, 1), ElementsAre(0, 0, 10, 20));
  EXPECT_THAT(Window(data, 0, 2), ElementsAre(0, 10, 20, 30));
  EXPECT_THAT(Window(data, 0, 3), ElementsAre(10, 20, 30, 30));
  EXPECT_THAT(Window(data, 1, 0), ElementsAre(40, 40, 40, 50));
  EXPECT_THAT(Window(data, 1, 2), ElementsAre(40, 50, 60, 60));
}

TEST(Dataset, WindowsMayBeWiderThanTheUtterance) {
  const Dataset data = Rows(5, 4);
  EXPECT_THAT(Window(data, 1, 1), ElementsAre(40, 40, 40, 40, 40, 50, 60, 60, 60, 60));
}

TEST(Dataset, TheLabelledFrameStandsAtLeftContextOfTheWindow) {
  for (const auto& [left, right] : {std::pair(0, 0), std::pair(2, 1), std::pair(15, 10), std::pair(1, 6)}) {
    const Dataset data = Rows(left, right);
    for (int u = 0; u < 2; ++u) {
      const Dataset::Utterance& utterance = data.utterances()[u];
      for (int64_t i = 0; i < utterance.frames; ++i) {
        EXPECT_EQ(Window(data, u, i)[left], 10.0f * static_cast<float>(utterance.first_frame + i));
      }
    }
  }
}

TEST(Dataset, WindowsKeepFeatureDimensionsTogether) {
  const Dataset data({{"a", 0, 2}}, {1, 2, 3, 4, 5, 6}, {0, 0}, 3, 1, 1, {});
  EXPECT_THAT(Window(data, 0, 0), ElementsAre(1, 2, 3, 1, 2, 3, 4, 5, 6));
  EXPECT_THAT(Window(data, 0, 1), ElementsAre(1, 2, 3, 4, 5, 6, 4, 5, 6));
}

TEST(Dataset, FindsTheUtteranceOfARow) {
  const Dataset data = Rows(0, 0);
  EXPECT_EQ(data.UtteranceOf(0).key, "a");
  EXPECT_EQ(data.UtteranceOf(3).key, "a");
  EXPECT_EQ(data.UtteranceOf(4).key, "b");
  EXPECT_EQ(data.UtteranceOf(6).key, "b");
  const Dataset with_empty({{"a", 0, 1}, {"none", 1, 0}, {"b", 1, 1}, {"end", 2, 0}}, {1, 2}, {0, 0}, 1, 0, 0,
                           {});
  EXPECT_EQ(with_empty.UtteranceOf(0).key, "a");
  EXPECT_EQ(with_empty.UtteranceOf(1).key, "b");
}

TEST(Dataset, CountsLabels) {
  const Dataset data = Rows(0, 0);
  EXPECT_EQ(data.most_frequent_label(), 1);
  EXPECT_DOUBLE_EQ(data.most_frequent_label_share(), 3.0 / 7);
  EXPECT_DOUBLE_EQ(data.ShareOf(0), 2.0 / 7);
  const Dataset nothing({}, {}, {}, 1, 0, 0, {});
  EXPECT_EQ(nothing.most_frequent_label(), -1);
  EXPECT_EQ(nothing.most_frequent_label_share(), 0);
}

TEST(Dataset, SilenceIsWhatIsNamedSo) {
  const Dataset data({{"a", 0, 1}}, {1}, {0}, 1, 0, 0, {false, true});
  EXPECT_TRUE(data.knows_silence());
  EXPECT_FALSE(data.is_silence(0));
  EXPECT_TRUE(data.is_silence(1));
  EXPECT_FALSE(data.is_silence(2));
  EXPECT_FALSE(data.is_silence(-1));
  EXPECT_FALSE(Rows(0, 0).knows_silence());
}

}  // namespace
}  // namespace downpour
