// Where on the data's way: guards deploy/corpus/: a batch of utterances on disk comes back as it was written.
#include "deploy/corpus/corpus_shard.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

class CorpusShardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(path_);
    const std::vector<SpokenUtterance> utterances = {
        {"b-1", "b", "one two", "", {1, 2, 3, 4, 5, 6}, {7, 8, 9}},
        {"a-2", "a", "three", "no sound file", {}, {}},
        {"a-3", "a", "four", "", {-1, 0.5}, {4}},
    };
    ASSERT_TRUE(WriteShard(path_, utterances, 2).ok());
  }

  // A name that no line of an scp file can hold.
  const std::string path_ = ::testing::TempDir() + "/shard of\nany [name] |";
};

TEST_F(CorpusShardTest, GivesBackWhatWasWritten) {
  const auto stored = ReadShard(path_, 2);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->size(), 3u);
  EXPECT_EQ((*stored)[0].frames, 3);
  EXPECT_EQ((*stored)[1].dropped, "no sound file");
  EXPECT_EQ((*stored)[1].text, "three");
  const auto last = ReadUtterance((*stored)[2], 2);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->key, "a-3");
  EXPECT_EQ(last->speaker, "a");
  EXPECT_EQ(last->text, "four");
  EXPECT_EQ(last->features, (std::vector<float>{-1, 0.5}));
  EXPECT_EQ(last->pdfs, (std::vector<int32_t>{4}));
}

TEST_F(CorpusShardTest, LeavesNothingPartialBehind) {
  EXPECT_FALSE(std::filesystem::exists(path_ + ".partial"));
  std::filesystem::create_directories(path_ + ".partial");
  std::ofstream(path_ + ".partial/rubbish") << "of a run that was killed";
  ASSERT_TRUE(WriteShard(path_, {}, 2).ok());
  EXPECT_FALSE(std::filesystem::exists(path_ + "/rubbish"));
}

TEST_F(CorpusShardTest, DamageIsNamedWithItsCure) {
  const auto stored = ReadShard(path_, 2);
  EXPECT_EQ(ReadShard(path_, 1).status().code(), absl::StatusCode::kDataLoss) << "of other bins";
  std::filesystem::resize_file(path_ + "/feats.ark", 50);
  const auto utterance = ReadUtterance(stored->back(), 2);
  EXPECT_EQ(utterance.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(utterance.status().message()), HasSubstr("delete this folder"));
  EXPECT_EQ(ReadShard(path_, 2).status().code(), absl::StatusCode::kDataLoss) << "of an archive";
  for (const char* table : {"a-3\ta\tfour\n", "", "a-3\ta\tfour\t\t-1\t0\t0\n", "a-3\ta\tfour\t\t0\t0\t0\n",
                            "a-3\ta\tfour\tno sound\t268435457\t0\t0\n"}) {
    std::ofstream(path_ + "/utterances") << table;
    EXPECT_EQ(ReadShard(path_, 2).status().code(), absl::StatusCode::kDataLoss) << table;
  }
  EXPECT_EQ(ReadShard(path_ + "-not", 2).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace downpour
