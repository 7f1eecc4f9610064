// Where on the data's way: from archives to frames; archives of unusual number, order and size.
#include "worker/data/kaldi_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/random.h"
#include "tests/unit/worker/data/kaldi_files.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool All(size_t /*i*/, int64_t /*frames*/) { return true; }

absl::StatusOr<FeaturesRead> ReadScpFile(const std::string& scp, const FeatureOptions& options = {}) {
  const auto entries = ReadScp(scp);
  if (!entries.ok()) return entries.status();
  return ReadFeatures(*entries, scp, options, All);
}

std::vector<float> ValuesOf(const EntryFeatures& entry) {
  std::vector<float> values(entry.frames * entry.dim);
  std::memcpy(values.data(), entry.values.get(), values.size() * sizeof(float));
  return values;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

void Gzip(const std::string& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb1");
  ASSERT_EQ(gzwrite(file, bytes.data(), bytes.size()), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

std::vector<TestUtterance> Utterances(int count, int frames) {
  std::vector<TestUtterance> utterances;
  for (int u = 0; u < count; ++u) {
    utterances.push_back({absl::StrCat("u", u), std::vector<float>(2 * frames, static_cast<float>(u)),
                          std::vector<int32_t>(frames, 0)});
  }
  return utterances;
}

// Two archives in turn, in random order: read entry by entry, each would begin anew and be inflated up to its
// object some hundred times.
TEST(KaldiFeatures, GzippedArchivesAreInflatedOnceWhateverTheOrderOfTheScp) {
  const std::string folder = WriteKaldiDirectory("d", Utterances(200, 1000));
  const std::string other = WriteKaldiDirectory("other", Utterances(100, 1000));
  std::vector<std::string> lines;
  int64_t inflated = 0;
  for (const auto& [from, prefix] : {std::pair(folder, "a"), std::pair(other, "b")}) {
    const auto entries = ReadScp(from + "/feats.scp");
    for (const ScpEntry& entry : *entries)
      lines.push_back(absl::StrCat(prefix, entry.key, " ", from, "/feats.gz:", entry.offset, "\n"));
    const std::string bytes = Slurp(from + "/feats.ark");
    inflated += static_cast<int64_t>(bytes.size());
    Gzip(from + "/feats.gz", bytes);
  }
  Random random(3, 0);
  for (size_t left = lines.size(); left > 1; --left) std::swap(lines[left - 1], lines[random.Below(left)]);
  WriteText(folder + "/shuffled.scp", absl::StrJoin(lines, ""));
  const auto read = ReadScpFile(folder + "/shuffled.scp");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_LE(read->bytes_passed, inflated);
  for (size_t i = 0; i < lines.size(); ++i) {
    const float wanted = std::stof(lines[i].substr(2));  // "au7 ..."
    EXPECT_THAT(ValuesOf(read->entries[i]), ::testing::Each(wanted)) << lines[i];
  }
}

TEST(KaldiFeatures, RangesTakeRowsAndColumnsOfAMatrixThatIsReadOnce) {
  const std::string folder = WriteKaldiDirectory("d", {{"whole", {1, 2, 3, 4, 5, 6, 7, 8}, {}}});
  const std::string bytes = Slurp(folder + "/feats.ark");
  Gzip(folder + "/feats.gz", bytes);
  for (const std::string archive : {"feats.ark", "feats.gz"}) {
    WriteText(folder + "/feats.scp", absl::StrCat("end ", archive, ":6[2:5]\nwhole ", archive, ":6\nmiddle ",
                                                  archive, ":6[1:2]\nright ", archive, ":6[0:1,1:1]\n"));
    const auto read = ReadScpFile(folder + "/feats.scp");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_THAT(ValuesOf(read->entries[0]), ElementsAre(5, 6, 7, 8)) << "two rows beyond the end are none";
    EXPECT_THAT(ValuesOf(read->entries[1]), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
    EXPECT_THAT(ValuesOf(read->entries[2]), ElementsAre(3, 4, 5, 6));
    EXPECT_THAT(ValuesOf(read->entries[3]), ElementsAre(2, 4));
    EXPECT_EQ(read->entries[3].dim, 1);
    EXPECT_LE(read->bytes_passed, static_cast<int64_t>(bytes.size()));
  }
  WriteText(folder + "/feats.scp", "whole feats.ark:6\nbeyond feats.ark:6[0:9]\n");
  EXPECT_THAT(ReadScpFile(folder + "/feats.scp").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("rows 0 to 9"), HasSubstr("matrix of 4 rows"),
                    HasSubstr("feats.scp:2: utterance beyond")));
}

TEST(KaldiFeatures, CommandsRunWhereTheyAreAllowedAndFailWithTheirExitCode) {
  const std::string folder = WriteKaldiDirectory("d", {{"a", {1, 2, 3, 4}, {}}});
  const std::string object = Slurp(folder + "/feats.ark").substr(2);
  Gzip(folder + "/a.gz", object);
  const std::string scp = folder + "/feats.scp";
  WriteText(scp, absl::StrCat("a gunzip -c '", folder, "/a.gz' |\nb gunzip -c '", folder, "/a.gz' |[1:1]\n"));
  EXPECT_THAT(ReadScpFile(scp).status().ToString(),
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("gunzip -c"), HasSubstr("--allow_commands"),
                    HasSubstr("feats.scp:1: utterance a")));
  const FeatureOptions allowed = {.allow_commands = true};
  const auto read = ReadScpFile(scp, allowed);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(ValuesOf(read->entries[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ValuesOf(read->entries[1]), ElementsAre(3, 4));

  WriteText(scp, "a exit 3 |\n");
  EXPECT_THAT(
      ReadScpFile(scp, allowed).status().ToString(),
      AllOf(HasSubstr("DATA_LOSS"), HasSubstr("exit 3 |: ended with exit code 3"), HasSubstr("utterance a")));
  WriteText(scp, "a true |\n");
  EXPECT_THAT(ReadScpFile(scp, allowed).status().ToString(), HasSubstr("DATA_LOSS"));
  WriteText(scp, "a kill -INT $$ |\n");
  EXPECT_EQ(ReadScpFile(scp, allowed).status().code(), absl::StatusCode::kCancelled);
}

TEST(KaldiFeatures, SaysThatAnOffsetIsLacking) {
  const std::string folder = WriteKaldiDirectory("d", {{"a", {1, 2}, {}}});
  WriteText(folder + "/feats.scp", "a feats.ark\n");
  EXPECT_THAT(ReadScpFile(folder + "/feats.scp").status().ToString(),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("feats.ark: byte 0: \"a\""),
                    HasSubstr("does the scp lack an offset, as in "), HasSubstr("feats.scp:1: utterance a")));
}

// As a corpus of an archive an utterance has them.
TEST(KaldiFeatures, ArchivesBeyondThoseThatCanBeMappedAreReadIntoMemory) {
  const std::string folder = WriteKaldiDirectory("d", {{"a", {1, 2}, {}}});
  std::string scp;
  for (int i = 0; i < 5; ++i) {
    std::filesystem::copy_file(folder + "/feats.ark", absl::StrCat(folder, "/", i, ".ark"));
    absl::StrAppend(&scp, "u", i, " ", i, ".ark:2\n");
  }
  WriteText(folder + "/feats.scp", scp);
  const auto read = ReadScpFile(folder + "/feats.scp", {.most_mapped_archives = 2});
  ASSERT_TRUE(read.ok()) << read.status();
  for (int i = 0; i < 5; ++i) {
    const std::string archive = absl::StrCat(folder, "/", i, ".ark");
    EXPECT_THAT(ValuesOf(read->entries[i]), ElementsAre(1, 2));
    EXPECT_EQ(IsMapped(read->entries[i].values.get(), archive), i < 2) << i;
  }
}

TEST(KaldiFeatures, AnArchiveAnUtteranceNeedsNoDescriptorEach) {
  const std::string folder = WriteKaldiDirectory("d", {{"a", {1, 2}, {}}});
  std::string scp;
  for (int i = 0; i < 200; ++i) {
    std::filesystem::create_hard_link(folder + "/feats.ark", absl::StrCat(folder, "/", i, ".ark"));
    absl::StrAppend(&scp, "u", i, " ", i, ".ark:2\n");
  }
  WriteText(folder + "/feats.scp", scp);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few = {64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto read = ReadScpFile(folder + "/feats.scp");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(ValuesOf(read->entries[199]), ElementsAre(1, 2));
}

TEST(KaldiFeatures, WhatDoesNotFitIntoMemoryIsRefused) {
  const std::string folder = WriteKaldiDirectory("d", Utterances(3, 1000));
  const FeatureOptions little = {.most_bytes = 20'000};
  EXPECT_TRUE(ReadScpFile(folder + "/feats.scp", little).ok()) << "plain archives stay in their files";
  const std::string bytes = Slurp(folder + "/feats.ark");
  Gzip(folder + "/feats.ark", bytes);
  EXPECT_THAT(ReadScpFile(folder + "/feats.scp", little).status().ToString(),
              AllOf(HasSubstr("FAILED_PRECONDITION"), HasSubstr("cannot stay in their files"),
                    HasSubstr("feats.scp:3: utterance u2")));
  EXPECT_TRUE(ReadScpFile(folder + "/feats.scp", {.most_bytes = 24'000}).ok());
}

TEST(KaldiFeatures, WhatIsNotWantedIsNotRead) {
  const std::string folder = WriteKaldiDirectory("d", Utterances(3, 2));
  const auto entries = ReadScp(folder + "/feats.scp");
  const auto read = ReadFeatures(*entries, "feats.scp", {},
                                 [](size_t i, int64_t frames) { return i == 0 || (i == 1 && frames < 0); });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_NE(read->entries[0].values, nullptr);
  EXPECT_EQ(read->entries[1].values, nullptr);
  EXPECT_EQ(read->entries[1].frames, 2);
  EXPECT_EQ(read->entries[2].frames, 0);
}

}  // namespace
}  // namespace downpour
