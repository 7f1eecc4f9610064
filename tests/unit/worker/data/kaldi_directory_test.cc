// Where on the data's way: from a Kaldi data directory to utterances; directories that are in order and such
// that are not.
#include "worker/data/kaldi_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/unit/worker/data/kaldi_files.h"
#include "worker/data/kaldi_alignments.h"

namespace downpour {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const TestUtterance kFirst = {"u1", {1, 2, 3, 4, 5, 6}, {4, 0, 4}};
const TestUtterance kSecond = {"u2", {7, 8}, {9}};

TEST(KaldiDirectory, JoinsFeaturesAndAlignmentsByKeyInTheOrderOfFeatsScp) {
  const std::string folder = WriteKaldiDirectory("d", {kSecond, kFirst});
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_THAT(read->utterances, SizeIs(2));
  EXPECT_EQ(read->utterances[0].key, "u2");
  EXPECT_EQ(read->utterances[1].first_frame, 1);
  EXPECT_EQ(read->utterances[1].frames, 3);
  EXPECT_EQ(read->feature_dim, 2);
  EXPECT_THAT(FeaturesOf(read->utterances[0], 2), ElementsAre(7, 8));
  EXPECT_THAT(FeaturesOf(read->utterances[1], 2), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(read->labels, ElementsAre(9, 4, 0, 4));
  EXPECT_EQ(read->num_pdfs, 0);
  EXPECT_THAT(read->silence_pdfs, IsEmpty());
  EXPECT_THAT(read->notes, IsEmpty());
}

TEST(KaldiDirectory, ReadsGzippedAlignmentsInSeveralFilesAndTextForm) {
  const std::string folder = WriteKaldiDirectory("d", {kFirst, kSecond});
  std::filesystem::remove(folder + "/pdf.ark");
  std::filesystem::create_directory(folder + "/ali");
  gzFile file = gzopen((folder + "/ali/pdf.1.gz").c_str(), "wb");
  const std::string archive("u1 \0B\4\3\0\0\0\4\5\0\0\0\4\6\0\0\0\4\7\0\0\0", 3 + 2 + 5 + 15);
  ASSERT_EQ(gzwrite(file, archive.data(), archive.size()), static_cast<int>(archive.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
  WriteText(folder + "/ali/pdf.2.txt", "u2 8\n");
  const auto read = ReadKaldiDirectory(folder, "ali/pdf.*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->labels, ElementsAre(5, 6, 7, 8));
}

TEST(KaldiDirectory, ReadsCountOfPdfsAndSilence) {
  const std::string folder = WriteKaldiDirectory("d", {kFirst});
  WriteText(folder + "/num_pdfs", "12\n");
  WriteText(folder + "/silence_pdfs", "0\n4\n");
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->num_pdfs, 12);
  EXPECT_THAT(read->silence_pdfs, ElementsAre(0, 4));
  WriteText(folder + "/silence_pdfs", "0\nsil\n");
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("silence_pdfs:2: \"sil\"")));
  std::filesystem::remove(folder + "/silence_pdfs");
  WriteText(folder + "/num_pdfs", "1048577\n");
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("num_pdfs:1: \"1048577\", want a number")));
  std::filesystem::remove(folder + "/num_pdfs");
  std::filesystem::create_directory(folder + "/num_pdfs");  // it is there, but cannot be read
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("UNAVAILABLE"), HasSubstr("num_pdfs")));
}

TEST(KaldiDirectory, PlainFeaturesStayInTheirFileAndUnpackedOnesInMemory) {
  const std::string folder = WriteKaldiDirectory("d", {kFirst, kSecond});
  auto plain = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(plain.ok()) << plain.status();
  for (const Utterance& utterance : plain->utterances)
    EXPECT_TRUE(IsMapped(utterance.features.get(), folder + "/feats.ark")) << utterance.key;
  // The file may be removed: its mapping still has the bytes.
  std::ifstream file(folder + "/feats.ark", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::filesystem::remove(folder + "/feats.ark");
  EXPECT_THAT(FeaturesOf(plain->utterances[0], 2), ElementsAre(1, 2, 3, 4, 5, 6));

  gzFile gzipped = gzopen((folder + "/feats.ark").c_str(), "wb");
  ASSERT_EQ(gzwrite(gzipped, bytes.data(), bytes.size()), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(gzipped), Z_OK);
  const auto unpacked = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  WriteText(folder + "/feats.ark", "u1  [ 1 2\n 3 4\n 5 6 ]\nu2 [ 7 8 ]\n");
  WriteText(folder + "/feats.scp", "u1 feats.ark:3\nu2 feats.ark:24\n");
  const auto text = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(text.ok()) << text.status();
  for (const auto& read : {unpacked, text}) {
    EXPECT_FALSE(IsMapped(read->utterances[0].features.get(), "/feats.ark"));
    EXPECT_THAT(FeaturesOf(read->utterances[0], 2), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_THAT(FeaturesOf(read->utterances[1], 2), ElementsAre(7, 8));
  }
}

TEST(KaldiDirectory, ArchivesInTurnAreMappedOnceEach) {
  const std::string one = WriteKaldiDirectory("one", {{"a", {1, 2}, {0}}, {"b", {3, 4}, {0}}});
  const std::string two = WriteKaldiDirectory("two", {{"c", {5, 6}, {0}}, {"d", {7, 8}, {0}}});
  const std::string folder = WriteKaldiDirectory(
      "d", {{"a", {0, 0}, {0}}, {"b", {0, 0}, {1}}, {"c", {0, 0}, {2}}, {"d", {0, 0}, {3}}});
  WriteText(folder + "/feats.scp", absl::StrCat("a ", one, "/feats.ark:2\nc ", two, "/feats.ark:2\nb ", one,
                                                "/feats.ark:27\nd ", two, "/feats.ark:27\n"));
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(FeaturesOf(read->utterances[1], 2), ElementsAre(5, 6));
  EXPECT_THAT(FeaturesOf(read->utterances[2], 2), ElementsAre(3, 4));
  EXPECT_THAT(FeaturesOf(read->utterances[3], 2), ElementsAre(7, 8));
  EXPECT_EQ(read->utterances[2].features.get() - read->utterances[0].features.get(), 8 + 15 + 2)
      << "floats, the next header, its key";
}

TEST(KaldiDirectory, LeavesOutWhatIsNotAlignedAndSaysSo) {
  TestUtterance unaligned = {"u3", {1, 2}, {}};
  TestUtterance too_short = {"u4", std::vector<float>(14), {1}};
  const std::string folder =
      WriteKaldiDirectory("d", {kFirst, unaligned, kSecond, too_short, {"u5", {1, 1}, {1}}});
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->labels, ElementsAre(4, 0, 4, 9, 1));
  EXPECT_THAT(
      read->notes,
      ElementsAre(folder + ": 1 of 5 utterances have no alignment and are left out; the first is u3",
                  folder + ": 1 of 5 utterances have an alignment of another length and are left out; the " +
                      "first is u4 with 7 frames and 1 labels"));
}

TEST(KaldiDirectory, RefusesADirectoryMostOfWhichIsNotAligned) {
  const std::string folder =
      WriteKaldiDirectory("d", {kFirst, {"u3", {1, 2}, {}}, {"u4", std::vector<float>(14), {1}}});
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("1 of 3 utterances can be used"),
                    HasSubstr("u3"), HasSubstr("u4 with 7 frames and 1 labels")));
}

// As Kaldi's nnet-train-frmshuff does.
TEST(KaldiDirectory, CutsFeaturesAndAlignmentsThatDifferByAFewFramesAndCountsThem) {
  const TestUtterance long_alignment = {"long", {1, 2, 3, 4}, {1, 2, 3, 4, 5, 6, 7}};
  const TestUtterance short_alignment = {"short", {5, 6, 7, 8, 9, 10}, {3}};
  const std::string folder = WriteKaldiDirectory(
      "d", {long_alignment, kSecond, short_alignment, {"longer", {1, 2}, {1, 2, 3, 4, 5, 6, 7}}});
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->labels, ElementsAre(1, 2, 9, 3));
  ASSERT_THAT(read->utterances, SizeIs(3));
  EXPECT_THAT(FeaturesOf(read->utterances[0], 2), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(FeaturesOf(read->utterances[2], 2), ElementsAre(5, 6));
  EXPECT_THAT(read->notes,
              ElementsAre(HasSubstr("1 of 4 utterances have an alignment of another length and are left out; "
                                    "the first is longer with 1 frames and 7 labels"),
                          HasSubstr("2 of 4 utterances have an alignment that is up to 5 frames shorter or "
                                    "longer, and are cut to the shorter of the two; the first is long with 2 "
                                    "frames and 7 labels")));
}

TEST(KaldiDirectory, ATextArchiveWithoutItsLastLineEndIsReadAndToldOf) {
  const std::string folder = WriteKaldiDirectory("d", {{"u1", {1, 2, 3, 4}, {}}});
  std::filesystem::remove(folder + "/pdf.ark");
  WriteText(folder + "/pdf.txt", "u1 3 4");
  WriteText(folder + "/feats.ark", "u1 [ 1 2\n 3 4 ]");
  WriteText(folder + "/feats.scp", "u1 feats.ark:3");
  WriteText(folder + "/num_pdfs", "7");
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(FeaturesOf(read->utterances[0], 2), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(read->labels, ElementsAre(3, 4));
  EXPECT_EQ(read->num_pdfs, 7);
  EXPECT_THAT(read->notes, ElementsAre(HasSubstr("pdf.txt: no line end after the last label, 4 of u")));
  WriteText(folder + "/pdf.txt", "u1 ");
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr("pdf.txt: byte 3: truncated")));
}

// As files have them that were edited on Windows.
TEST(KaldiDirectory, LineEndsMayBeThoseOfWindowsWithAByteOrderMark) {
  const std::string folder = WriteKaldiDirectory("d", {});
  std::filesystem::remove(folder + "/pdf.ark");
  WriteText(folder + "/pdf.txt", "\xEF\xBB\xBFu1 3 4\r\nu2 5\r\n");
  WriteText(folder + "/feats.ark", "u1 [\r\n 1 2\r\n 3 4 ]\r\nu2 [ 5 6 ]\r\n");
  WriteText(folder + "/feats.scp", "\xEF\xBB\xBFu1 feats.ark:3\r\nu2 feats.ark:23\r\n");
  WriteText(folder + "/num_pdfs",
            "\xEF\xBB\xBF"
            "7\r\n");
  WriteText(folder + "/silence_pdfs",
            "\xEF\xBB\xBF"
            "0\r\n1\r\n");
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(FeaturesOf(read->utterances[0], 2), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(FeaturesOf(read->utterances[1], 2), ElementsAre(5, 6));
  EXPECT_THAT(read->labels, ElementsAre(3, 4, 5));
  EXPECT_THAT(read->notes, IsEmpty());
  EXPECT_EQ(read->num_pdfs, 7);
  EXPECT_THAT(read->silence_pdfs, ElementsAre(0, 1));
}

TEST(KaldiDirectory, AnEmptyMatrixIsLeftOutEvenIfItIsTheFirst) {
  const std::string folder = WriteKaldiDirectory("d", {{"empty", {1, 1}, {1, 1}}, kFirst, kSecond});
  WriteText(folder + "/feats.ark", "empty [ ]\nu1 [ 1 2\n 3 4\n 5 6 ]\nu2 [ 7 8 ]\n");
  WriteText(folder + "/feats.scp", "empty feats.ark:6\nu1 feats.ark:13\nu2 feats.ark:34\n");
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->labels, ElementsAre(4, 0, 4, 9));
  EXPECT_THAT(read->notes, ElementsAre(HasSubstr("the first is empty with 0 frames and 2 labels")));
}

TEST(KaldiDirectory, DropsUtterancesWithNanOrInfinity) {
  const std::string folder = WriteKaldiDirectory(
      "d", {{"bad1", {1, kNan}, {3}}, kFirst, {"bad2", {kInfinity, 1}, {3}}, {"bad3", {1, -kInfinity}, {3}}});
  const auto read = ReadKaldiDirectory(folder, "pdf*");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->labels, ElementsAre(4, 0, 4));
  EXPECT_THAT(
      read->notes,
      ElementsAre(folder +
                  ": 3 of 4 utterances have NaN or infinite features and are left out; the first is bad1"));
}

TEST(KaldiDirectory, RefusesADirectoryOfNothingButNan) {
  const std::string folder = WriteKaldiDirectory("d", {{"bad", {1, kNan}, {3}}});
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("0 of 1"), HasSubstr("NaN")));
}

TEST(KaldiDirectory, RefusesAnotherFeatureDimension) {
  const std::string folder = WriteKaldiDirectory("d", {kFirst, {"u3", {1, 2, 3}, {1}, 3}});
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"),
                    HasSubstr("feats.scp:2: utterance u3 has feature dimension 3, want 2")));
}

TEST(KaldiDirectory, RefusesLabelsOutOfRangeAndKeysGivenTwice) {
  std::string folder = WriteKaldiDirectory("negative", {kFirst, {"u3", {1, 2, 3, 4}, {1, -5}}});
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("pdf.ark: utterance u3: label -5 of frame 1")));
  folder = WriteKaldiDirectory("large", {kFirst, {"u3", {1, 2, 3, 4}, {1, kMostClasses}}});
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("utterance u3: label 1048576 of frame 1")));
  folder = WriteKaldiDirectory("twice", {kFirst, {"u1", {1, 2}, {}}});
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("feats.scp:2: utterance u1")));
  folder = WriteKaldiDirectory("aligned_twice", {kFirst});
  std::filesystem::copy_file(folder + "/pdf.ark", folder + "/pdf.2.ark");
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("utterance u1 is aligned for the second time")));
}

TEST(KaldiDirectory, AFolderIsNoAlignment) {
  const std::string folder = WriteKaldiDirectory("d", {kFirst});
  std::filesystem::create_directory(folder + "/pdf.old");
  EXPECT_TRUE(ReadKaldiDirectory(folder, "pdf*").ok());
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf.o*").status().ToString(), HasSubstr("NOT_FOUND"));
}

TEST(KaldiDirectory, SaysWhatIsMissing) {
  EXPECT_THAT(ReadKaldiDirectory("/no/such", "pdf*").status().ToString(),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr("/no/such/feats.scp")));
  const std::string folder = WriteKaldiDirectory("d", {kFirst});
  EXPECT_THAT(
      ReadKaldiDirectory(folder + "/feats.scp", "pdf*").status().ToString(),
      AllOf(HasSubstr("NOT_FOUND"), HasSubstr("/feats.scp/feats.scp: a part of this path is a file")));
  EXPECT_THAT(ReadKaldiDirectory(folder, "ali*").status().ToString(),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr(folder + "/ali*"), HasSubstr("ali-to-pdf")));
  std::filesystem::remove(folder + "/feats.ark");
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("NOT_FOUND"), HasSubstr(folder + "/feats.ark")));
}

TEST(KaldiDirectory, TruncatedAndMislabelledFilesAreNamedWithTheirPlace) {
  const std::string folder = WriteKaldiDirectory("d", {kFirst, kSecond});
  std::filesystem::copy_file(folder + "/feats.ark", folder + "/pdf.2.ark");  // features among the alignments
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(folder + "/pdf.2.ark: byte 5: ")));
  std::filesystem::remove(folder + "/pdf.2.ark");
  std::filesystem::resize_file(folder + "/feats.ark", std::filesystem::file_size(folder + "/feats.ark") - 3);
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(),
              AllOf(HasSubstr("DATA_LOSS"), HasSubstr(folder + "/feats.ark: byte "),
                    HasSubstr("feats.scp:2: utterance u2")));
  std::filesystem::resize_file(folder + "/feats.ark", 10);
  EXPECT_THAT(ReadKaldiDirectory(folder, "pdf*").status().ToString(), HasSubstr("DATA_LOSS"));
}

}  // namespace
}  // namespace downpour
