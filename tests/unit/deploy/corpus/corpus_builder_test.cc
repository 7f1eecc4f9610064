// Where on the data's way: guards deploy/corpus/: a small corpus as a whole, from sentences to
// data directories.
#include "deploy/corpus/corpus_builder.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/program/interrupt.h"
#include "deploy/corpus/sentences.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/worker/data/kaldi_files.h"
#include "worker/data/kaldi_directory.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The path of a folder that does not exist yet.
std::string NewFolder(const std::string& name) {
  const std::string folder = absl::StrCat(::testing::TempDir(), "/corpus_", name);
  fs::remove_all(folder);
  return folder;
}

// Fortunes of which the first five are in the test part: a larger share than of the real ones, so that a
// short corpus has some of them.
const std::string& Fortunes() {
  static const std::string* const folder = [] {
    auto* made = new std::string(NewFolder("fortunes"));
    fs::create_directories(*made);
    std::ofstream file(*made + "/few");
    for (const char* sentence : {"the early bird gets the worm but the second mouse gets the cheese",
                                 "half of the people in this country are below average",
                                 "nothing is so simple that it cannot be misunderstood by someone",
                                 "there is no time like the present for postponing what you should do",
                                 "the moon may be smaller than the earth but it is further away",
                                 "a journey of a thousand miles begins with a single step",
                                 "good judgment comes from bad experience and experience from bad judgment",
                                 "it is easier to ask forgiveness than it is to get permission",
                                 "people who live in glass houses should not throw heavy stones",
                                 "all my friends and i are crazy and that keeps us sane",
                                 "every program has at least one more error than you thought",
                                 "old soldiers never die but young ones often do",
                                 "work expands to fill the time available for its completion",
                                 "be careful of reading health books for you may die of a misprint"}) {
      file << sentence << "\n%\n";
    }
    return made;
  }();
  return *folder;
}

// Options for 45 seconds of speech in many small shards, so that a signal comes while some of them
// are missing.
CorpusOptions Small(const std::string& out) {
  CorpusOptions options;
  options.out = out;
  options.hours = 45.0 / 3600;
  options.jobs = 2;
  options.human = false;
  options.shard_utterances = 2;
  options.fortunes = Fortunes();
  return options;
}

CorpusSummary Build(const CorpusOptions& options) {
  auto summary = BuildCorpus(options, Clock::Real());
  EXPECT_TRUE(summary.ok()) << summary.status();
  return summary.value_or(CorpusSummary());
}

// The contents of all files outside the cache, by path.
std::map<std::string, std::string> Files(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = fs::relative(entry.path(), folder).string();
    if (entry.is_regular_file() && !absl::StartsWith(path, ".cache"))
      files[path] = ReadFile(entry.path().string()).value();
  }
  return files;
}

std::set<std::string> Texts(const std::string& part) {
  std::set<std::string> texts;
  const std::string text = ReadFile(part + "/text").value();
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    texts.emplace(line.substr(line.find(' ') + 1));
  }
  return texts;
}

// The finished shards, and the time at which each was written.
std::map<std::string, fs::file_time_type> CachedShards(const std::string& out) {
  std::map<std::string, fs::file_time_type> shards;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(out + "/.cache", error)) {
    if (entry.path().extension() == ".partial" || !entry.is_directory(error)) continue;
    shards[entry.path().string()] = entry.last_write_time(error);
  }
  return shards;
}

// The corpus with which the others are compared; it is made once.
const std::string& Reference() {
  static const std::string* const out = [] {
    auto* folder = new std::string(NewFolder("reference"));
    Build(Small(*folder));
    return folder;
  }();
  return *out;
}

TEST(CorpusBuilderTest, WritesKaldiDirectoriesThatTheReaderTakes) {
  const auto train = ReadKaldiDirectory(Reference() + "/train", "pdf*");
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_TRUE(train->notes.empty()) << train->notes[0];
  EXPECT_EQ(train->feature_dim, 40);
  EXPECT_EQ(train->num_pdfs, 5126);
  EXPECT_EQ(train->silence_pdfs.size(), 9u);
  EXPECT_GT(train->labels.size(), 2000u);
  std::map<int32_t, int64_t> counts;
  for (const int32_t label : train->labels) ++counts[label];
  EXPECT_GT(counts.size(), 500u) << "distinct senones";
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](auto& a, auto& b) { return a.second < b.second; });
  EXPECT_THAT(train->silence_pdfs, ::testing::Contains(most->first))
      << "the most frequent senone is silence's";
  // Speech is louder than what the aligner takes for silence, above all in the bins in which voices
  // are strong.
  double sum[2] = {}, frames[2] = {};
  const std::set<int32_t> silence(train->silence_pdfs.begin(), train->silence_pdfs.end());
  for (const Utterance& utterance : train->utterances) {
    const std::vector<float> features = FeaturesOf(utterance, 40);
    for (int64_t i = 0; i < utterance.frames; ++i) {
      const bool silent = silence.contains(train->labels[utterance.first_frame + i]);
      for (int bin = 0; bin < 10; ++bin) sum[silent] += features[i * 40 + bin] / 10;
      ++frames[silent];
    }
  }
  EXPECT_GT(sum[0] / frames[0], sum[1] / frames[1] + 2) << "nats";
}

TEST(CorpusBuilderTest, TablesAreSortedAndAgree) {
  const std::map<std::string, std::string> files = Files(Reference());
  std::vector<std::string> keys;
  for (absl::string_view line : absl::StrSplit(files.at("train/utt2spk"), '\n', absl::SkipEmpty())) {
    const std::vector<std::string> columns = absl::StrSplit(line, ' ');
    ASSERT_EQ(columns.size(), 2u);
    EXPECT_TRUE(absl::StartsWith(columns[0], columns[1] + "-"));
    EXPECT_THAT(files.at("train/spk2utt"), HasSubstr(columns[0]));
    keys.push_back(columns[0]);
  }
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_GT(keys.size(), 4u);
}

TEST(CorpusBuilderTest, TrainAndTestShareNoSentence) {
  CorpusOptions options = Small(NewFolder("disjoint"));
  // Every sentence is spoken more than once, by several voices.
  options.fortunes = NewFolder("few_fortunes");
  fs::create_directories(options.fortunes);
  std::ofstream fortunes(options.fortunes + "/few");
  // Two of them are in the test part.
  for (const char* thing :
       {"cow", "dog", "horse", "house", "river", "stone", "bird", "cloud", "king", "ship"}) {
    fortunes << "we lost a " << thing << " today again\n%\n";
  }
  fortunes.close();
  options.hours = 40.0 / 3600;
  Build(options);
  const std::set<std::string> train = Texts(options.out + "/train"), test = Texts(options.out + "/test");
  EXPECT_EQ(test, (std::set<std::string>{"we lost a dog today again", "we lost a horse today again"}));
  EXPECT_EQ(train.size(), 8u);
  for (const std::string& text : test) EXPECT_FALSE(train.contains(text)) << text;
  EXPECT_GT(ReadKaldiDirectory(options.out + "/train", "pdf*")->utterances.size(), train.size())
      << "spoken again";
}

TEST(CorpusBuilderTest, OneJobMakesTheSameBytesAsTwo) {
  CorpusOptions options = Small(NewFolder("one_job"));
  options.jobs = 1;
  Build(options);
  EXPECT_EQ(Files(options.out), Files(Reference()));
}

TEST(CorpusBuilderTest, AnotherSeedMakesAnotherCorpus) {
  CorpusOptions options = Small(NewFolder("seed"));
  options.seed = 2;
  Build(options);
  EXPECT_NE(Files(options.out).at("train/text"), Files(Reference()).at("train/text"));
}

// Builds in a process of its own, sends it `signal_number` once a first shard is finished, and returns how
// it ended.
int BuildAndSignal(const CorpusOptions& options, int signal_number) {
  const pid_t pid = fork();
  if (pid == 0) {
    CatchInterrupts();
    const auto summary = BuildCorpus(options, Clock::Real());
    _exit(summary.ok() ? 0 : absl::IsCancelled(summary.status()) ? 130 : 1);
  }
  int status = 0;
  while (CachedShards(options.out).empty()) {
    if (waitpid(pid, &status, WNOHANG) != 0) return status;
    usleep(1000);
  }
  kill(pid, signal_number);
  waitpid(pid, &status, 0);
  return status;
}

TEST(CorpusBuilderTest, GoesOnAfterCtrlCAndMakesTheSameBytes) {
  const CorpusOptions options = Small(NewFolder("interrupted"));
  const int status = BuildAndSignal(options, SIGINT);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_FALSE(fs::exists(options.out + "/train"));
  const auto cached = CachedShards(options.out);
  Build(options);
  const auto all = CachedShards(options.out);
  EXPECT_TRUE(std::includes(all.begin(), all.end(), cached.begin(), cached.end()))
      << "finished work is redone";
  EXPECT_GT(all.size(), cached.size());
  EXPECT_EQ(Files(options.out), Files(Reference()));
}

TEST(CorpusBuilderTest, GoesOnAfterKill9) {
  const CorpusOptions options = Small(NewFolder("killed"));
  const int status = BuildAndSignal(options, SIGKILL);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(fs::exists(options.out + "/train"));
  Build(options);
  EXPECT_EQ(Files(options.out), Files(Reference()));
}

TEST(CorpusBuilderTest, GrowsFromTheCache) {
  CorpusOptions options = Small(NewFolder("grown"));
  options.hours = 15.0 / 3600;
  Build(options);
  const auto written = fs::last_write_time(options.out + "/.cache/spoken-000000");
  options.hours = 45.0 / 3600;
  EXPECT_FALSE(Build(options).already_complete);
  EXPECT_EQ(fs::last_write_time(options.out + "/.cache/spoken-000000"), written);
  EXPECT_EQ(Files(options.out), Files(Reference()));
}

TEST(CorpusBuilderTest, MakesADamagedShardAgain) {
  const CorpusOptions options = Small(NewFolder("damaged"));
  Build(options);
  fs::resize_file(options.out + "/.cache/spoken-000001/feats.ark", 5000);
  std::ofstream(options.out + "/.cache/spoken-000002/utterances").close();
  fs::remove(options.out + "/summary");
  EXPECT_FALSE(Build(options).already_complete);
  EXPECT_EQ(Files(options.out), Files(Reference()));
}

TEST(CorpusBuilderTest, ACompleteCorpusIsLeftAsItIs) {
  const CorpusOptions options = Small(Reference());
  const auto written = fs::last_write_time(options.out + "/train");
  const CorpusSummary summary = Build(options);
  EXPECT_TRUE(summary.already_complete);
  ASSERT_EQ(summary.parts.size(), 2u);
  EXPECT_THAT(summary.parts[0], HasSubstr("train: "));
  EXPECT_THAT(summary.parts[0], HasSubstr("dropped 0"));
  EXPECT_EQ(fs::last_write_time(options.out + "/train"), written);
}

TEST(CorpusBuilderTest, MakesAHumanTestSetAndSaysWhatItDropped) {
  CorpusOptions options = Small(NewFolder("human"));
  if (!fs::exists(options.sounds))
    GTEST_SKIP() << options.sounds << " is not there (asterisk-core-sounds-en-g722)";
  options.hours = 15.0 / 3600;
  options.human = true;
  options.transcripts = NewFolder("transcripts");
  std::ofstream(options.transcripts)
      << "activated: Activated.\ndigits/7: seven\nbeep: [beep]\ngone: seven\nagent-pass: 500\n"
         "added: We have added a great many words that nobody says in this short prompt\n";
  const CorpusSummary summary = Build(options);
  ASSERT_EQ(summary.parts.size(), 3u);
  EXPECT_THAT(summary.parts[2], HasSubstr("test_human: 2 utterances"));
  EXPECT_THAT(summary.parts[2], HasSubstr("dropped 4"));
  EXPECT_THAT(summary.parts[2], HasSubstr("1 the speech does not fit the words"));
  const auto human = ReadKaldiDirectory(options.out + "/test_human", "pdf*");
  ASSERT_TRUE(human.ok()) << human.status();
  EXPECT_EQ(human->utterances[0].key, "allison-activated");
  EXPECT_EQ(human->utterances[1].key, "allison-digits-7");
}

TEST(CorpusBuilderTest, RefusesAFolderOfOtherSettings) {
  CorpusOptions options = Small(Reference());
  options.seed = 9;
  const auto summary = BuildCorpus(options, Clock::Real());
  EXPECT_EQ(summary.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(summary.status().message()), HasSubstr("seed 1"));
  EXPECT_THAT(std::string(summary.status().message()), HasSubstr("seed 9"));
}

TEST(CorpusBuilderTest, NamesWhatIsMissingOrCannotBe) {
  const auto code = [](const CorpusOptions& options) {
    return BuildCorpus(options, Clock::Real()).status().code();
  };
  CorpusOptions options = Small(NewFolder("errors"));
  options.fortunes = "/nowhere";
  EXPECT_EQ(code(options), absl::StatusCode::kNotFound);
  options = Small(NewFolder("errors"));
  options.human = true;
  options.sounds = "/nowhere";
  EXPECT_EQ(code(options), absl::StatusCode::kNotFound);
  options = Small("/proc/corpus");
  EXPECT_EQ(code(options), absl::StatusCode::kUnavailable);
  options = Small(NewFolder("errors"));
  options.hours = 0;
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  options.hours = 1;
  options.jobs = -1;
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Small("")), absl::StatusCode::kInvalidArgument);
  options = Small(NewFolder("errors"));
  options.hours = 1.0 / 3600;  // one utterance, in one part or the other
  const auto too_short = BuildCorpus(options, Clock::Real()).status();
  EXPECT_EQ(too_short.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(too_short.message()), HasSubstr("--hours="));
}

}  // namespace
}  // namespace downpour
