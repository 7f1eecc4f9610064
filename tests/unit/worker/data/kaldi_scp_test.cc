// Where on the data's way: from an scp file's lines to the places of objects; paths, ranges and commands.
#include "worker/data/kaldi_scp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace downpour {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ParseScp, TakesKeysPathsAndOffsets) {
  const auto entries = ParseScp("a /x/y.ark:12\n\nb\tsome file.ark:0\nc single.mat\n", "feats.scp");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 3);
  EXPECT_EQ((*entries)[0].path, "/x/y.ark");
  EXPECT_EQ((*entries)[0].offset, 12);
  EXPECT_EQ((*entries)[1].key, "b");
  EXPECT_EQ((*entries)[1].path, "some file.ark");
  EXPECT_EQ((*entries)[1].line, 3);
  EXPECT_EQ((*entries)[2].path, "single.mat");
  EXPECT_EQ((*entries)[2].offset, 0);
}

TEST(ParseScp, NamesTheLineItCannotTake) {
  EXPECT_THAT(ParseScp("a x:1\nb\n", "feats.scp").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("feats.scp:2: \"b\"")));
  EXPECT_THAT(ParseScp("a x:1\n\nb | gzip -c >x.gz\n", "feats.scp").status().ToString(),
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("feats.scp:3"), HasSubstr("| gzip -c >x.gz")));
  EXPECT_EQ(ParseScp("a -", "s").status().code(), StatusCode::kUnimplemented);
  EXPECT_EQ(ParseScp("a |", "s").status().code(), StatusCode::kUnimplemented);
  EXPECT_EQ(ParseScp("a x.ark:99999999999999999999", "s").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseScp("a :5", "s").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadScp("/no/such.scp").status().code(), StatusCode::kNotFound);
}

TEST(ReadScp, RelativePathsAreTakenFromTheCurrentDirectoryOrElseFromTheScps) {
  const std::string folder = ::testing::TempDir() + "moved";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder + "/scp-test");
  std::ofstream(folder + "/feats.scp") << "a scp-test/moved.ark:2\nb /abs.ark:2\n";
  std::ofstream(folder + "/scp-test/moved.ark") << "x";
  EXPECT_EQ(ReadScp(folder + "/feats.scp")->at(0).path, folder + "/scp-test/moved.ark");
  EXPECT_EQ(ReadScp(folder + "/feats.scp")->at(1).path, "/abs.ark");
  std::filesystem::create_directories("scp-test");
  std::ofstream("scp-test/moved.ark") << "x";
  EXPECT_EQ(ReadScp(folder + "/feats.scp")->at(0).path, "scp-test/moved.ark");
  std::filesystem::remove_all("scp-test");
}

// Our corpora name their archives without a folder, and the current directory may be that of another corpus.
TEST(ReadScp, BareFileNamesAreTakenFromTheScpsDirectoryFirst) {
  const std::string folder = ::testing::TempDir() + "bare";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/feats.scp") << "a feats-bare.ark:2\n";
  std::ofstream("feats-bare.ark") << "x";
  EXPECT_EQ(ReadScp(folder + "/feats.scp")->at(0).path, "feats-bare.ark");
  std::ofstream(folder + "/feats-bare.ark") << "x";
  EXPECT_EQ(ReadScp(folder + "/feats.scp")->at(0).path, folder + "/feats-bare.ark");
  std::filesystem::remove("feats-bare.ark");
}

TEST(ParseScp, TakesRangesAndCommands) {
  const auto entries = ParseScp(
      "a x.ark:5[0:10]\nb x.ark[2:2,0:39]\nc x.ark:7 [:,1:3]\nd gunzip -c 'x y.gz' |\n"
      "e cat x:1 |[3:4]\n",
      "feats.scp");
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(entries->at(0).range, (MatrixRange{.first_row = 0, .last_row = 10}));
  EXPECT_EQ(entries->at(0).path, "x.ark");
  EXPECT_EQ(entries->at(0).offset, 5);
  EXPECT_EQ(entries->at(1).range, (MatrixRange{2, 2, 0, 39}));
  EXPECT_EQ(entries->at(2).range, (MatrixRange{0, -1, 1, 3}));
  EXPECT_EQ(entries->at(2).offset, 7);
  EXPECT_TRUE(entries->at(3).is_command);
  EXPECT_EQ(entries->at(3).path, "gunzip -c 'x y.gz' ");
  EXPECT_EQ(entries->at(4).path, "cat x:1 ");
  EXPECT_EQ(entries->at(4).offset, 0);
  EXPECT_EQ(entries->at(4).range, (MatrixRange{.first_row = 3, .last_row = 4}));
}

TEST(ParseScp, RefusesWhatIsNoRange) {
  for (const char* range : {"[]", "[1]", "[1:]", "[:1]", "[3:2]", "[-1:2]", "[0:1,]", "[0:1,2]", "[a:b]", "]",
                            "[0:1,2:3,4:5]", "[0:99999999999999999999]"}) {
    EXPECT_THAT(ParseScp(absl::StrCat("a x.ark:5", range), "s").status().ToString(),
                AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("s:1: "), HasSubstr("[0:10]")))
        << range;
  }
}

// Kaldi's tools take a last row that is up to three frames too high.
TEST(MatrixRange, EndsWithinTheMatrixOrUpToThreeRowsBehindIt) {
  EXPECT_EQ(*Within({}, 5, 2), (MatrixRange{0, 4, 0, 1}));
  EXPECT_EQ(*Within({.first_row = 1, .last_row = 3}, 5, 2), (MatrixRange{1, 3, 0, 1}));
  EXPECT_EQ(*Within({1, 7, 1, 1}, 5, 2), (MatrixRange{1, 4, 1, 1}));
  EXPECT_EQ(Within({}, 0, 0)->last_row, -1);
  EXPECT_THAT(Within({1, 8, 0, -1}, 5, 2).status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("rows 1 to 8"), HasSubstr("5 rows")));
  EXPECT_FALSE(Within({5, 7, 0, -1}, 5, 2).ok());
  EXPECT_FALSE(Within({0, 4, 0, 2}, 5, 2).ok());
  EXPECT_FALSE(Within({.first_row = 0, .last_row = 0}, 0, 0).ok());
}

}  // namespace
}  // namespace downpour
