// Where on the data's way: makes shards in forked processes, keeps them in a cache, joins them to parts.
#include "deploy/corpus/corpus_builder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/file/crc32c.h"
#include "common/file/file.h"
#include "common/file/file_descriptor.h"
#include "common/program/interrupt.h"
#include "common/program/progress.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "deploy/corpus/corpus_directory.h"
#include "deploy/corpus/forked_tasks.h"
#include "deploy/corpus/utterance_maker.h"

namespace downpour {
namespace {

constexpr int kFormatVersion = 2;            // one more when the same settings give other bytes
constexpr double kLikelyFrames = 370;        // of an utterance, until a shard has been made
constexpr double kLikelyPromptFrames = 250;  // of a human one; only shown as progress
constexpr double kMostHours = 10000;

class CorpusBuilder {
 public:
  CorpusBuilder(const CorpusOptions& options, Clock* clock)
      : options_(options),
        clock_(clock),
        jobs_(options.jobs > 0 ? options.jobs
                               : std::max(1, static_cast<int>(std::thread::hardware_concurrency()))),
        target_frames_(std::llround(options.hours * kFramesAnHour)),
        cache_(absl::StrCat(options.out, "/.cache")) {}

  absl::StatusOr<CorpusSummary> Build() {
    RETURN_IF_ERROR(Lock());
    RETURN_IF_ERROR(ReadInputs());
    RETURN_IF_ERROR(CheckSettings());
    CorpusSummary summary;
    if (ReadSummary(&summary)) return summary;
    ASSIGN_OR_RETURN(maker_, UtteranceMaker::Create(sentences_, options_.seed, options_.aligner));
    RETURN_IF_ERROR(MakeShards());
    RETURN_IF_ERROR(WriteParts(&summary));
    RETURN_IF_ERROR(ReplaceFile(SummaryPath(), {Request(), absl::StrJoin(summary.parts, "\n"), "\n"}));
    return summary;
  }

 private:
  absl::Status Lock() {
    std::error_code error;
    std::filesystem::create_directories(cache_, error);
    if (error) return absl::UnavailableError(absl::StrCat(cache_, ": cannot be made: ", error.message()));
    const std::string path = absl::StrCat(cache_, "/lock");
    lock_ = FileDescriptor(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!lock_.valid()) return FileError("write", path);
    // Not flock(): a forked task would go on holding its lock.
    if (lockf(lock_.get(), F_TLOCK, 0) != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat(options_.out, ": another process is making a corpus there"));
    }
    return absl::OkStatus();
  }

  absl::Status ReadInputs() {
    ASSIGN_OR_RETURN(const Dictionary dictionary, ReadDictionary(options_.aligner.dictionary));
    ASSIGN_OR_RETURN(const std::vector<std::string> in_order, ReadSentences(options_.fortunes, dictionary));
    // Shuffled, so that a short corpus has sentences of every file.
    std::vector<uint32_t> order(in_order.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    Random(options_.seed).Shuffle(absl::MakeSpan(order));
    for (const uint32_t i : order) sentences_.push_back(in_order[i]);
    if (!options_.human) return absl::OkStatus();
    auto prompts = ReadHumanPrompts(options_.transcripts, options_.sounds, dictionary);
    if (absl::IsNotFound(prompts.status())) {
      return absl::NotFoundError(
          absl::StrCat(prompts.status().message(), " (--human=false makes a corpus without human speech)"));
    }
    RETURN_IF_ERROR(prompts.status());
    prompts_ = *std::move(prompts);
    human_shards_ =
        (static_cast<int>(prompts_.size()) + options_.shard_utterances - 1) / options_.shard_utterances;
    return absl::OkStatus();
  }

  // Checks what must be the same for a cached shard to be used again.
  absl::Status CheckSettings() {
    const std::string wanted =
        absl::StrFormat("format %d\nseed %d\nutterances a shard %d\nsentences %d, CRC-32C %08x\nmodel %s\n",
                        kFormatVersion, options_.seed, options_.shard_utterances, sentences_.size(),
                        Crc32c(absl::StrJoin(sentences_, "\n")), options_.aligner.model_folder);
    const std::string path = absl::StrCat(options_.out, "/settings");
    const absl::StatusOr<std::string> seen = ReadFile(path);
    if (absl::IsNotFound(seen.status())) return ReplaceFile(path, {wanted});
    RETURN_IF_ERROR(seen.status());
    if (*seen == wanted) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": this folder holds a corpus of other settings:\n", *seen, "want:\n", wanted,
                     "Give another folder, or delete this one."));
  }

  std::string SummaryPath() const { return absl::StrCat(options_.out, "/summary"); }
  std::string Request() const {
    return absl::StrFormat("%d frames of synthetic speech, human speech: %s\n", target_frames_,
                           options_.human ? HumanName() : "none");
  }

  // Whether the corpus that is asked for is complete.
  bool ReadSummary(CorpusSummary* summary) const {
    const absl::StatusOr<std::string> seen = ReadFile(SummaryPath());
    if (!seen.ok() || !absl::StartsWith(*seen, Request())) return false;
    std::error_code error;
    for (const char* part : {"train", "test", "test_human"}) {
      const bool wanted = options_.human || std::strcmp(part, "test_human") != 0;
      if (wanted && !std::filesystem::exists(absl::StrCat(options_.out, "/", part, "/feats.scp"), error))
        return false;
    }
    summary->already_complete = true;
    summary->parts = absl::StrSplit(seen->substr(Request().size()), '\n', absl::SkipEmpty());
    return true;
  }

  // Has a checksum of the prompts, so that shards of another version of the package are not used for them.
  std::string HumanName() const {
    uint32_t crc = 0;
    for (const HumanPrompt& p : prompts_)
      crc = Crc32c(absl::StrCat(p.name, "\t", p.words, "\t", p.dropped, "\n"), crc);
    return absl::StrFormat("human-%08x", crc);
  }

  // The tasks below human_shards_ make shards of prompts, the others shards of spoken sentences.
  std::string ShardPath(int task) const {
    return task < human_shards_ ? absl::StrFormat("%s/%s-%03d", cache_, HumanName(), task)
                                : absl::StrFormat("%s/spoken-%06d", cache_, task - human_shards_);
  }

  // The task's utterances [begin, end) of prompts_ or of the endless list.
  std::pair<int64_t, int64_t> UtterancesOf(int task) const {
    const bool human = task < human_shards_;
    const int64_t begin =
        static_cast<int64_t>(human ? task : task - human_shards_) * options_.shard_utterances;
    const int64_t end = begin + options_.shard_utterances;
    return {begin, human ? std::min<int64_t>(end, prompts_.size()) : end};
  }

  absl::Status MakeShard(int task) {
    std::vector<SpokenUtterance> utterances;
    const bool human = task < human_shards_;
    const auto [begin, end] = UtterancesOf(task);
    for (int64_t i = begin; i < end; ++i) {
      ASSIGN_OR_RETURN(SpokenUtterance utterance,
                       human ? maker_->Recorded(prompts_[i], options_.sounds) : maker_->Speak(i));
      utterances.push_back(std::move(utterance));
    }
    return WriteShard(ShardPath(task), utterances, maker_->bins());
  }

  // Reads a finished shard's table. NOT_FOUND: no shard. DATA_LOSS: damaged. INTERNAL: no sentence aligned.
  absl::Status TakeShard(int task) {
    ASSIGN_OR_RETURN(std::vector<StoredUtterance> shard, ReadShard(ShardPath(task), maker_->bins()));
    const auto [begin, end] = UtterancesOf(task);
    const int64_t count = static_cast<int64_t>(shard.size());
    if (count != end - begin)
      return absl::DataLossError(
          absl::StrCat(ShardPath(task), ": ", count, " utterances, want ", end - begin));
    shards_[task] = std::move(shard);
    if (task < human_shards_) {
      ++human_done_;
      return absl::OkStatus();
    }
    ++spoken_done_;
    int64_t frames = 0;
    for (const StoredUtterance& u : shards_[task]) frames += u.frames;
    spoken_frames_ += frames;
    if (frames > 0) return absl::OkStatus();
    // Otherwise the builder would go on along the endless list for ever.
    return absl::InternalError(
        absl::StrCat(ShardPath(task), ": no utterance aligned; of the last: ", shards_[task].back().dropped));
  }

  double FramesAShard() const {
    return spoken_done_ == 0 ? kLikelyFrames * options_.shard_utterances
                             : static_cast<double>(spoken_frames_) / spoken_done_;
  }

  // The next shard that the cache lacks or has damaged; none once those made and being made probably suffice.
  std::optional<int> NextTask(absl::Status* status) {
    for (;;) {
      const int started_spoken = static_cast<int>(shards_.size()) - human_shards_;
      const double likely_frames =
          static_cast<double>(spoken_frames_) + (started_spoken - spoken_done_) * FramesAShard();
      if (started_spoken >= 0 && likely_frames >= static_cast<double>(target_frames_)) return std::nullopt;
      const int task = static_cast<int>(shards_.size());
      shards_.emplace_back();
      const absl::Status taken = TakeShard(task);
      if (absl::IsNotFound(taken) || absl::IsDataLoss(taken)) return task;
      status->Update(taken);
      if (!status->ok()) return std::nullopt;
    }
  }

  absl::Status MakeShards() {
    Progress progress("corpus", clock_);
    absl::Status cache_status;
    int done = 0;
    const auto show = [&] {
      const double human_frames = kLikelyPromptFrames * options_.shard_utterances;
      const double all = human_shards_ * human_frames + static_cast<double>(target_frames_);
      const double ready = human_done_ * human_frames + static_cast<double>(spoken_frames_);
      progress.Update(ready / all, absl::StrFormat("%.2f of %.2f h of speech aligned, %d jobs",
                                                   ready / kFramesAnHour, all / kFramesAnHour, jobs_));
    };
    ForkedTasks tasks;
    tasks.next = [&] {
      const std::optional<int> task = NextTask(&cache_status);
      show();
      return task;
    };
    tasks.run = [&](int task) { return MakeShard(task); };
    tasks.finished = [&](int task) {
      ++done;
      RETURN_IF_ERROR(TakeShard(task));
      show();
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(RunForked(tasks, jobs_, clock_));
    RETURN_IF_ERROR(cache_status);
    progress.Finish(
        absl::StrFormat("%d shards made, %d from the cache", done, static_cast<int>(shards_.size()) - done));
    return absl::OkStatus();
  }

  absl::Status CheckNotEmpty(const char* part, const std::vector<StoredUtterance>& utterances) const {
    for (const StoredUtterance& u : utterances) {
      if (u.dropped.empty()) return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("--hours=", options_.hours, ": the ", part, " part would be empty; want more hours"));
  }

  absl::Status WriteParts(CorpusSummary* summary) {
    std::vector<StoredUtterance> train, test, human;
    int64_t frames = 0;
    for (int task = 0; task < static_cast<int>(shards_.size()); ++task) {
      for (StoredUtterance& u : shards_[task]) {
        if (task >= human_shards_) {
          if (frames >= target_frames_) break;
          frames += u.frames;
        }
        auto& part = task < human_shards_ ? human : IsTestSentence(u.text) ? test : train;
        part.push_back(std::move(u));
      }
    }
    RETURN_IF_ERROR(CheckNotEmpty("train", train));
    RETURN_IF_ERROR(CheckNotEmpty("test", test));
    // From here on the folder holds neither the old corpus nor the new one.
    std::error_code error;
    std::filesystem::remove(SummaryPath(), error);
    const CorpusClasses classes{maker_->bins(), maker_->num_senones(), maker_->silence_senones()};
    Progress progress("parts", clock_);
    const size_t all = train.size() + test.size() + (options_.human ? human.size() : 0);
    size_t done = 0;
    const auto written = [&] {
      ++done;
      progress.Update(static_cast<double>(done) / static_cast<double>(all),
                      absl::StrCat(done, " of ", all, " utterances written"));
      return Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
    };
    const auto write = [&](const char* name, std::vector<StoredUtterance> utterances) -> absl::Status {
      ASSIGN_OR_RETURN(std::string line, WriteCorpusDirectory(absl::StrCat(options_.out, "/", name),
                                                              std::move(utterances), classes, written));
      summary->parts.push_back(std::move(line));
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(write("train", std::move(train)));
    RETURN_IF_ERROR(write("test", std::move(test)));
    if (options_.human) return write("test_human", std::move(human));
    std::filesystem::remove_all(absl::StrCat(options_.out, "/test_human"), error);
    return absl::OkStatus();
  }

  const CorpusOptions& options_;
  Clock* clock_;
  int jobs_;
  int64_t target_frames_;
  std::string cache_;
  FileDescriptor lock_;
  std::vector<std::string> sentences_;
  std::vector<HumanPrompt> prompts_;
  int human_shards_ = 0;
  std::unique_ptr<UtteranceMaker> maker_;
  std::vector<std::vector<StoredUtterance>> shards_;  // by task; empty while being made
  int human_done_ = 0;
  int spoken_done_ = 0;
  int64_t spoken_frames_ = 0;
};

}  // namespace

absl::StatusOr<CorpusSummary> BuildCorpus(const CorpusOptions& options, Clock* clock) {
  if (options.out.empty()) return absl::InvalidArgumentError("--out: which folder?");
  if (!(options.hours > 0 && options.hours <= kMostHours)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--hours=", options.hours, ": want above 0, at most ", kMostHours));
  }
  if (options.jobs < 0)
    return absl::InvalidArgumentError(absl::StrCat("--jobs=", options.jobs, ": want 0 or more"));
  return CorpusBuilder(options, clock).Build();
}

}  // namespace downpour
