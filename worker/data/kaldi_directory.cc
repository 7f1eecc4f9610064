// Where on the data's way: from a Kaldi data directory to utterances; joins features and alignments by key.
#include "worker/data/kaldi_directory.h"

#include <algorithm>
#include <cstdlib>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "worker/data/kaldi_alignments.h"
#include "worker/data/kaldi_scp.h"

namespace downpour {
namespace {

// Integers from `least` to `most`, one a line. Empty: no such file.
absl::StatusOr<std::vector<int32_t>> ReadNumbers(const std::string& path, int32_t least, int32_t most) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  std::vector<int32_t> numbers;
  if (absl::IsNotFound(text.status())) return numbers;
  RETURN_IF_ERROR(text.status());
  int64_t line_number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (++line_number == 1) absl::ConsumePrefix(&line, kByteOrderMark);
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    int32_t number = 0;
    if (!absl::SimpleAtoi(line, &number) || number < least || number > most) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", line_number, ": \"", line, "\", want a number from ", least, " to ", most));
    }
    numbers.push_back(number);
  }
  return numbers;
}

// Puts features and labels together, utterance by utterance, and counts what is left out and why.
class Join {
 public:
  // `utterances`: the number of entries in feats.scp.
  Join(std::string directory, int64_t utterances)
      : directory_(std::move(directory)), utterances_(utterances) {}

  void AddUnaligned(const std::string& key) { unaligned_.Add(key); }

  // INVALID_ARGUMENT: another dimension than the first utterance's.
  absl::Status Add(const ScpEntry& entry, EntryFeatures features, absl::Span<const int32_t> labels) {
    const auto count = static_cast<int64_t>(labels.size());
    if (!Fit(features.frames, count)) {
      unequal_.Add(absl::StrCat(entry.key, " with ", features.frames, " frames and ", count, " labels"));
      return absl::OkStatus();
    }
    if (features.values == nullptr) {
      not_finite_.Add(entry.key);
      return absl::OkStatus();
    }
    if (read_.feature_dim == 0) read_.feature_dim = static_cast<int32_t>(features.dim);
    if (features.dim != read_.feature_dim) {
      return absl::InvalidArgumentError(absl::StrCat(
          directory_, "/feats.scp:", entry.line, ": utterance ", entry.key, " has feature dimension ",
          features.dim, ", want ", read_.feature_dim, ", the first utterance's"));
    }
    if (features.frames != count)
      cut_.Add(absl::StrCat(entry.key, " with ", features.frames, " frames and ", count, " labels"));
    const int64_t frames = std::min(features.frames, count);
    read_.utterances.push_back(
        {entry.key, static_cast<int64_t>(read_.labels.size()), frames, std::move(features.values)});
    read_.labels.insert(read_.labels.end(), labels.begin(), labels.begin() + frames);
    return absl::OkStatus();
  }

  absl::StatusOr<KaldiDirectory> Finish() {
    Note(unaligned_, "have no alignment and are left out");
    Note(unequal_, "have an alignment of another length and are left out");
    Note(not_finite_, "have NaN or infinite features and are left out");
    Note(cut_, absl::StrCat("have an alignment that is up to ", kMostFramesCut,
                            " frames shorter or longer, and are cut to the shorter of the two"));
    const bool too_few_aligned = 2 * (unaligned_.count + unequal_.count) > utterances_;
    if (too_few_aligned || read_.utterances.empty()) {
      std::string message = absl::StrCat(directory_, ": ", read_.utterances.size(), " of ", utterances_,
                                         " utterances can be used, want ",
                                         too_few_aligned ? "half of them" : "one", " at least");
      for (const std::string& note : read_.notes) absl::StrAppend(&message, "; ", note);
      return absl::InvalidArgumentError(message);
    }
    return std::move(read_);
  }

  static bool Fit(int64_t frames, int64_t labels) {
    return std::min(frames, labels) > 0 && std::abs(frames - labels) <= kMostFramesCut;
  }

 private:
  struct Counted {
    int64_t count = 0;
    std::string first;
    void Add(std::string which) {
      if (count++ == 0) first = std::move(which);
    }
  };

  void Note(const Counted& counted, absl::string_view what) {
    if (counted.count == 0) return;
    read_.notes.push_back(absl::StrCat(directory_, ": ", counted.count, " of ", utterances_, " utterances ",
                                       what, "; the first is ", counted.first));
  }

  const std::string directory_;
  const int64_t utterances_;
  Counted unaligned_, unequal_, not_finite_, cut_;
  KaldiDirectory read_;
};

absl::Status CheckKeysDiffer(const std::vector<ScpEntry>& entries, const std::string& scp) {
  absl::flat_hash_set<absl::string_view> seen;
  for (const ScpEntry& entry : entries) {
    if (seen.insert(entry.key).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(scp, ":", entry.line, ": utterance ", entry.key, " stands there for the second time"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> ReadSilencePdfs(const std::string& directory) {
  return ReadNumbers(directory + "/silence_pdfs", 0, kMostClasses - 1);
}

absl::StatusOr<KaldiDirectory> ReadKaldiDirectory(const std::string& directory, const std::string& alignments,
                                                  const FeatureOptions& options) {
  const std::string scp = directory + "/feats.scp";
  ASSIGN_OR_RETURN(const std::vector<ScpEntry> entries, ReadScp(scp));
  RETURN_IF_ERROR(CheckKeysDiffer(entries, scp));
  ASSIGN_OR_RETURN(const std::vector<int32_t> num_pdfs,
                   ReadNumbers(directory + "/num_pdfs", 1, kMostClasses));
  ASSIGN_OR_RETURN(std::vector<int32_t> silence_pdfs, ReadSilencePdfs(directory));
  ASSIGN_OR_RETURN(const Alignments aligned, ReadAlignments(directory, alignments));
  const auto labels_of = [&](size_t i) {
    const auto found = aligned.labels.find(entries[i].key);
    return found == aligned.labels.end() ? nullptr : &found->second;
  };
  ASSIGN_OR_RETURN(
      FeaturesRead features, ReadFeatures(entries, scp, options, [&labels_of](size_t i, int64_t frames) {
        const std::vector<int32_t>* const labels = labels_of(i);
        return labels != nullptr && (frames < 0 || Join::Fit(frames, static_cast<int64_t>(labels->size())));
      }));
  Join join(directory, static_cast<int64_t>(entries.size()));
  for (size_t i = 0; i < entries.size(); ++i) {
    if (const std::vector<int32_t>* const labels = labels_of(i)) {
      RETURN_IF_ERROR(join.Add(entries[i], std::move(features.entries[i]), *labels));
    } else {
      join.AddUnaligned(entries[i].key);
    }
  }
  ASSIGN_OR_RETURN(KaldiDirectory read, join.Finish());
  read.num_pdfs = num_pdfs.empty() ? 0 : num_pdfs.front();
  read.silence_pdfs = std::move(silence_pdfs);
  read.bytes_passed = features.bytes_passed;
  read.notes.insert(read.notes.end(), aligned.notes.begin(), aligned.notes.end());
  return read;
}

}  // namespace downpour
