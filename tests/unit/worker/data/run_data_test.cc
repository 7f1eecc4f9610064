// Where on the data's way: between the data's files and the run; its parts are normalised alike and fit
// one another.
#include "worker/data/run_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "tests/unit/worker/data/kaldi_files.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Windows of one frame, so that an input is a frame.
DataDescription Describe(const std::string& train, const std::string& test) {
  DataDescription description;
  description.set_train_dir(train);
  description.set_test_dir(test);
  description.set_left_context(0);
  description.set_right_context(0);
  return description;
}

std::vector<TestUtterance> RandomUtterances(int count) {
  Random random(7);
  std::vector<TestUtterance> utterances;
  for (int u = 0; u < count; ++u) {
    TestUtterance utterance{absl::StrCat("u", u), {}, {}};
    for (uint64_t frames = 1 + random.Below(40); frames > 0; --frames) {
      utterance.features.push_back(static_cast<float>(1000 + 3 * random.Normal()));
      utterance.features.push_back(static_cast<float>(-2 + 0.01 * random.Normal()));
      utterance.labels.push_back(static_cast<int32_t>(random.Below(5)));
    }
    utterances.push_back(std::move(utterance));
  }
  return utterances;
}

std::vector<float> Inputs(const Dataset& data) {
  std::vector<float> inputs(data.frames() * data.input_dim());
  absl::Span<float> left = absl::MakeSpan(inputs);
  for (const Dataset::Utterance& utterance : data.utterances()) {
    for (int64_t i = 0; i < utterance.frames; ++i) {
      data.CopyWindow(utterance, i, left.subspan(0, data.input_dim()));
      left.remove_prefix(data.input_dim());
    }
  }
  return inputs;
}

TEST(LoadRunData, TrainingPartHasMeanZeroAndVarianceOne) {
  const std::string train = WriteKaldiDirectory("train", RandomUtterances(50));
  const auto data = LoadRunData(Describe(train, train), nullptr);
  ASSERT_TRUE(data.ok()) << data.status();
  std::vector<double> sum(2), squares(2);
  std::vector<float> input(2);
  for (const Dataset::Utterance& utterance : data->train->utterances()) {
    for (int64_t i = 0; i < utterance.frames; ++i) {
      data->train->CopyWindow(utterance, i, absl::MakeSpan(input));
      for (int d = 0; d < 2; ++d) sum[d] += input[d];
      for (int d = 0; d < 2; ++d) squares[d] += input[d] * input[d];
    }
  }
  const double frames = static_cast<double>(data->train->frames());
  for (int d = 0; d < 2; ++d) {
    EXPECT_NEAR(sum[d] / frames, 0, 1e-4) << d;
    EXPECT_NEAR(squares[d] / frames, 1, 1e-4) << d;
  }
  EXPECT_NEAR(data->normalization.mean[0], 1000, 1);
  EXPECT_NEAR(data->normalization.stddev[1], 0.01, 0.002);
}

// 100 frames of dimensions that are normally distributed.
std::vector<TestUtterance> Normal(std::vector<std::pair<double, double>> mean_and_stddev) {
  Random random(5);
  TestUtterance utterance{
      "u", {}, std::vector<int32_t>(100, 1), static_cast<int64_t>(mean_and_stddev.size())};
  for (int i = 0; i < 100; ++i) {
    for (const auto& [mean, stddev] : mean_and_stddev)
      utterance.features.push_back(static_cast<float>(mean + stddev * random.Normal()));
  }
  return {utterance};
}

// A channel that is silent in training only, in the test only, in another unit, and one that is as it was.
TEST(LoadRunData, WarnsOfDimensionsThatAreDegenerateInOnePartOrUnlikeTheOtherPart) {
  const std::string train = WriteKaldiDirectory("train", Normal({{-23, 0}, {5, 3}, {5, 3}, {5, 3}}));
  const std::string test = WriteKaldiDirectory("test", Normal({{5, 3}, {-23, 0}, {50, 30}, {6, 2}}));
  const auto data = LoadRunData(Describe(train, test), nullptr);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_THAT(
      data->notes,
      ElementsAre(
          AllOf(HasSubstr(train + ": constant, "), HasSubstr(": feature dimension 0 of 4, which counts as 0"),
                HasSubstr("100 training frames, 0 has mean -23 and standard deviation 0")),
          AllOf(HasSubstr(test + ": unlike training's"), HasSubstr("feature dimensions 0, 1, 2 of 4"),
                HasSubstr("over 100 frames, 0 has mean "), HasSubstr("in training mean -23"))));
  for (size_t i = 0; const float input : Inputs(*data->test))
    EXPECT_LT(std::abs(input), i++ % 4 == 2 ? 50 : 15) << "normalised inputs stay sane";
  const auto evaluators = LoadTestSets(Describe(train, test), data->summary);
  ASSERT_TRUE(evaluators.ok()) << evaluators.status();
  EXPECT_THAT(evaluators->notes, ElementsAre(data->notes[1]));
}

TEST(LoadRunData, SaysNothingOfPartsThatAreAlikeOrAreTooShortToTell) {
  const std::string train = WriteKaldiDirectory("train", Normal({{5, 3}, {0, 1e-12}, {1e6, 1e5}}));
  const std::string alike = WriteKaldiDirectory("test", Normal({{8, 1}, {0, 4e-12}, {1.2e6, 2e5}}));
  const std::string shorter = WriteKaldiDirectory("short", {{"u", {900, 900, 900}, {1}, 3}});
  for (const std::string& test : {alike, shorter}) {
    const auto data = LoadRunData(Describe(train, test), nullptr);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(data->notes, ElementsAre());
    EXPECT_NEAR(data->normalization.stddev[1], 1e-12, 2e-13) << "a small scale is a scale";
  }
}

// As --data.test_human_dir= on a command line.
TEST(LoadRunData, AnEmptyHumanTestDirectoryIsNone) {
  DataDescription description = Describe(WriteKaldiDirectory("train", RandomUtterances(20)),
                                         WriteKaldiDirectory("test", RandomUtterances(3)));
  description.set_test_human_dir("");
  const auto data = LoadRunData(description, nullptr);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->test_human, nullptr);
}

TEST(LoadRunData, TestPartsTakeTheTrainingPartsNormalization) {
  const std::string train =
      WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}});  // mean 1 and 5, stddev 1 and 0
  const std::string test = WriteKaldiDirectory("test", {{"b", {4, 5.5}, {1}}});
  DataDescription description = Describe(train, test);
  description.set_test_human_dir(train);
  const auto data = LoadRunData(description, nullptr);
  ASSERT_TRUE(data.ok()) << data.status();
  std::vector<float> input(2);
  data->test->CopyWindow(data->test->utterances()[0], 0, absl::MakeSpan(input));
  EXPECT_FLOAT_EQ(input[0], 3);
  EXPECT_NEAR(input[1], 0, 1e-6) << "constant in training, so that nothing was learned from it";
  EXPECT_EQ(data->test_human->frames(), 2);
  EXPECT_THAT(data->summary.feature_mean(), ElementsAre(1, 5));
  EXPECT_THAT(data->summary.feature_stddev(), ElementsAre(1, kConstantStddev));

  const Normalization given = {{2, 3}, {4, 0.5}};
  const auto again = LoadRunData(description, &given);
  ASSERT_TRUE(again.ok()) << again.status();
  again->test->CopyWindow(again->test->utterances()[0], 0, absl::MakeSpan(input));
  EXPECT_THAT(input, ElementsAre(0.5, 5));
  EXPECT_THAT(again->summary.feature_stddev(), ElementsAre(4, 0.5));
}

TEST(LoadRunData, ClassesComeFromTheDescriptionOrTheDirectoryOrTheLabels) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 6}}});
  DataDescription description = Describe(train, train);
  EXPECT_EQ(LoadRunData(description, nullptr)->summary.classes(), 7);
  WriteText(train + "/num_pdfs", "9\n");
  EXPECT_EQ(LoadRunData(description, nullptr)->summary.classes(), 9);
  description.set_classes(8000);
  EXPECT_EQ(LoadRunData(description, nullptr)->summary.classes(), 8000);
  description.set_classes(6);
  EXPECT_THAT(LoadRunData(description, nullptr).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"),
                    HasSubstr(train + ": utterance a: label 6 of frame 1, want below 6")));
}

TEST(LoadRunData, RefusesTestLabelsThatTrainingDoesNotHave) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}});
  const std::string test = WriteKaldiDirectory("test", {{"b", {4, 5.5}, {2}}});
  DataDescription description = Describe(train, test);
  EXPECT_THAT(
      LoadRunData(description, nullptr).status().ToString(),
      AllOf(HasSubstr("INVALID_ARGUMENT"),
            HasSubstr(test + ": utterance b: label 2 of frame 0, want below 2"), HasSubstr("data.classes")));
  description.set_classes(3);
  EXPECT_TRUE(LoadRunData(description, nullptr).ok());
}

TEST(LoadRunData, RefusesAnotherFeatureDimension) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}});
  const std::string test = WriteKaldiDirectory("test", {{"b", {4, 5, 6}, {1}, 3}});
  EXPECT_THAT(LoadRunData(Describe(train, test), nullptr).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(test + ": feature dimension 3, want 2")));
  const Normalization other = {{0, 0, 0}, {1, 1, 1}};
  EXPECT_EQ(LoadRunData(Describe(train, train), &other).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LoadRunData, SilenceComesFromEachDirectoryOrElseFromTraining) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 3}}});
  const std::string test = WriteKaldiDirectory("test", {{"b", {4, 5.5}, {2}}});
  EXPECT_FALSE(LoadRunData(Describe(train, test), nullptr)->train->knows_silence());
  WriteText(train + "/silence_pdfs", "3\n");
  auto data = LoadRunData(Describe(train, test), nullptr);
  EXPECT_TRUE(data->test->knows_silence());
  EXPECT_TRUE(data->test->is_silence(3));
  EXPECT_FALSE(data->test->is_silence(2));
  WriteText(test + "/silence_pdfs", "2\n");
  data = LoadRunData(Describe(train, test), nullptr);
  EXPECT_TRUE(data->test->is_silence(2));
  EXPECT_FALSE(data->test->is_silence(3));
  EXPECT_FALSE(data->train->is_silence(2));
  WriteText(test + "/silence_pdfs", "4\n");
  EXPECT_THAT(LoadRunData(Describe(train, test), nullptr).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(test + "/silence_pdfs: 4, want below 4")));
}

TEST(LoadRunData, SummaryTellsDataSetsApart) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}, {"b", {1, 1}, {1}}});
  const auto fingerprint = [&] {
    return LoadRunData(Describe(train, train), nullptr)->summary.fingerprint();
  };
  DataDescription description = Describe(train, train);
  description.set_left_context(3);
  const auto data = LoadRunData(description, nullptr);
  EXPECT_EQ(data->summary.input_dim(), 8);
  EXPECT_EQ(data->summary.utterances(), 2);
  EXPECT_EQ(data->summary.frames(), 3);
  const uint32_t before = fingerprint();
  EXPECT_EQ(fingerprint(), before);
  EXPECT_EQ(data->summary.fingerprint(), before);
  WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}, {"c", {1, 1}, {1}}});
  EXPECT_NE(fingerprint(), before);  // another key
  WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}, {"b", {1, 1}, {0}}});
  EXPECT_NE(fingerprint(), before);  // another label
  WriteKaldiDirectory("train", {{"a", {0, 5}, {0}}, {"b", {1, 1, 2, 5}, {1, 1}}});
  EXPECT_NE(fingerprint(), before);  // other lengths
  WriteKaldiDirectory("train", {{"a", {0, 5, 2, 6}, {0, 1}}, {"b", {1, 1}, {1}}});
  EXPECT_NE(fingerprint(), before);  // another feature
}

TEST(LoadRunData, SaysWhatTheMostFrequentTrainingLabelScoresOnTheTestSet) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5, 1, 1}, {0, 2, 2}}});
  const std::string test = WriteKaldiDirectory("test", {{"b", {4, 5, 1, 1, 2, 2, 3, 3}, {1, 2, 1, 1}}});
  EXPECT_EQ(LoadRunData(Describe(train, test), nullptr)->summary.majority_test_accuracy(), 0.25);  // not 0.75
}

TEST(LoadRunData, RefusesWindowsBeyondInt32AndTwoKindsOfData) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}});
  DataDescription description = Describe(train, train);
  description.set_left_context(1 << 30);
  EXPECT_THAT(LoadRunData(description, nullptr).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("a window of 1073741825 frames")));
  description = Describe(train, train);
  description.set_mnist_dir(train);
  EXPECT_THAT(LoadRunData(description, nullptr).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("data.mnist_dir")));
}

TEST(LoadRunData, AWorkersPartAndAnEvaluatorsAreThoseOfTheWhole) {
  const std::string train = WriteKaldiDirectory("train", RandomUtterances(20));
  const std::string test = WriteKaldiDirectory("test", RandomUtterances(3));
  WriteText(train + "/silence_pdfs", "3\n");
  DataDescription description = Describe(train, test);
  description.set_test_human_dir(test);
  const auto whole = LoadRunData(description, nullptr);
  ASSERT_TRUE(whole.ok()) << whole.status();

  const auto workers = LoadTrainingPart(description, whole->summary);
  ASSERT_TRUE(workers.ok()) << workers.status();
  EXPECT_EQ(workers->test, nullptr);
  EXPECT_EQ(workers->test_human, nullptr);
  EXPECT_EQ(workers->summary.SerializeAsString(), whole->summary.SerializeAsString());
  EXPECT_EQ(Inputs(*workers->train), Inputs(*whole->train));

  const auto evaluators = LoadTestSets(description, whole->summary);
  ASSERT_TRUE(evaluators.ok()) << evaluators.status();
  EXPECT_EQ(evaluators->train, nullptr);
  EXPECT_EQ(evaluators->summary.SerializeAsString(), whole->summary.SerializeAsString());
  EXPECT_EQ(Inputs(*evaluators->test), Inputs(*whole->test));
  EXPECT_EQ(Inputs(*evaluators->test_human), Inputs(*whole->test));
  EXPECT_TRUE(evaluators->test->is_silence(3));

  // They do not read the other's part, but check their own.
  std::filesystem::remove(test + "/feats.scp");
  EXPECT_TRUE(LoadTrainingPart(description, whole->summary).ok());
  EXPECT_EQ(LoadTestSets(description, whole->summary).status().code(), absl::StatusCode::kNotFound);
  WriteKaldiDirectory("test", {{"b", {4, 5.5}, {whole->summary.classes()}}});
  std::filesystem::remove(train + "/feats.scp");
  EXPECT_THAT(LoadTestSets(description, whole->summary).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(test + ": utterance b: label")));
}

TEST(LoadRunData, WindowsAreNormalisedAsTheFramesWouldBe) {
  const std::vector<TestUtterance> utterances = RandomUtterances(5);
  const std::string train = WriteKaldiDirectory("train", utterances);
  DataDescription description = Describe(train, train);
  description.set_left_context(2);
  const auto data = LoadRunData(description, nullptr);
  ASSERT_TRUE(data.ok()) << data.status();
  std::vector<float> window(6);
  for (size_t u = 0; u < utterances.size(); ++u) {
    std::vector<float> frames = utterances[u].features;
    Normalize(data->normalization, absl::MakeSpan(frames));
    const Dataset::Utterance& utterance = data->train->utterances()[u];
    for (int64_t i = 2; i < utterance.frames; ++i) {
      data->train->CopyWindow(utterance, i, absl::MakeSpan(window));
      EXPECT_EQ(window, std::vector<float>(frames.begin() + 2 * (i - 2), frames.begin() + 2 * (i + 1)));
    }
  }
}

TEST(LoadRunData, PassesNotesOnAndWantsATestSet) {
  const std::string train = WriteKaldiDirectory("train", {{"a", {0, 5, 2, 5}, {0, 1}}, {"b", {1, 1}, {}}});
  EXPECT_THAT(LoadRunData(Describe(train, train), nullptr)->notes, SizeIs(2));
  DataDescription description;
  description.set_train_dir(train);
  EXPECT_EQ(LoadRunData(description, nullptr).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace downpour
