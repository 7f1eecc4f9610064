// Where on the data's way: from a Kaldi data directory to utterances; joins features and alignments by key.
#include "worker/data/kaldi_directory.h"

#include <glob.h>

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/file/mapped_file.h"
#include "common/status_macros.h"
#include "common/tensor/finite.h"
#include "worker/data/kaldi_io.h"

namespace downpour {
namespace {

using Alignments = absl::flat_hash_map<std::string, std::vector<int32_t>>;

std::vector<std::string> FilesThatMatch(absl::string_view directory, absl::string_view pattern) {
  std::string whole;
  for (const char c : directory) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') whole.push_back('\\');
    whole.push_back(c);
  }
  absl::StrAppend(&whole, "/", pattern);
  std::vector<std::string> files;
  glob_t matches;
  if (glob(whole.c_str(), 0, nullptr, &matches) == 0) {
    for (size_t i = 0; i < matches.gl_pathc; ++i)
      if (!absl::EndsWith(matches.gl_pathv[i], ".scp")) files.push_back(matches.gl_pathv[i]);
  }
  globfree(&matches);
  return files;
}

absl::Status ReadAlignments(const std::string& path, Alignments* alignments) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ArchiveReader> reader, ArchiveReader::Open(path));
  std::string key;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, reader->NextKey(&key));
    if (!more) return absl::OkStatus();
    std::vector<int32_t> labels;
    RETURN_IF_ERROR(reader->ReadIntVector(&labels));
    const auto bad = std::find_if(labels.begin(), labels.end(),
                                  [](int32_t label) { return label < 0 || label >= kMostClasses; });
    if (bad != labels.end()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": utterance ", key, ": label ", *bad,
                                                     " of frame ", bad - labels.begin(),
                                                     ", want a pdf id from 0, below ", kMostClasses));
    }
    if (!alignments->try_emplace(key, std::move(labels)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": utterance ", key, " is aligned for the second time"));
    }
  }
}

absl::StatusOr<Alignments> ReadAllAlignments(const std::string& directory, const std::string& pattern) {
  const std::vector<std::string> files = FilesThatMatch(directory, pattern);
  if (files.empty()) {
    return absl::NotFoundError(
        absl::StrCat(directory, "/", pattern,
                     ": no such file, want alignments as archives of pdf ids. Kaldi makes them with ",
                     "ali-to-pdf final.mdl \"ark:gunzip -c ali.*.gz|\" ark:", directory, "/pdf.ark"));
  }
  Alignments alignments;
  for (const std::string& file : files) RETURN_IF_ERROR(ReadAlignments(file, &alignments));
  return alignments;
}

// Integers from `least` to `most`, one a line. Empty: no such file.
absl::StatusOr<std::vector<int32_t>> ReadNumbers(const std::string& path, int32_t least, int32_t most) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  std::vector<int32_t> numbers;
  if (absl::IsNotFound(text.status())) return numbers;
  RETURN_IF_ERROR(text.status());
  int64_t line_number = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++line_number;
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

struct LeftOut {
  int64_t count = 0;
  std::string first;
  void Add(std::string which) {
    if (count++ == 0) first = std::move(which);
  }
};

class DirectoryReader {
 public:
  DirectoryReader(std::string directory, Alignments alignments)
      : directory_(std::move(directory)), alignments_(std::move(alignments)) {}

  absl::Status ReadUtterances(const std::vector<ScpEntry>& entries) {
    std::unique_ptr<ArchiveReader> reader;
    std::string open_path;
    FloatMatrix matrix;
    for (const ScpEntry& entry : entries) {
      if (!seen_.insert(entry.key).second)
        return absl::InvalidArgumentError(absl::StrCat(Place(entry), " stands there for the second time"));
      const auto alignment = alignments_.find(entry.key);
      if (alignment == alignments_.end()) {
        unaligned_.Add(entry.key);
        continue;
      }
      if (reader == nullptr || entry.path != open_path) {
        ASSIGN_OR_RETURN(reader, ArchiveReader::Open(entry.path));
        open_path = entry.path;
      }
      absl::Status status = reader->SeekTo(entry.offset);
      if (status.ok()) status = reader->ReadMatrix(&matrix);
      if (!status.ok())
        return absl::Status(status.code(), absl::StrCat(status.message(), " (", Place(entry), ")"));
      RETURN_IF_ERROR(AddUtterance(entry, matrix, alignment->second));
    }
    return absl::OkStatus();
  }

  // `utterances` is the number of entries in feats.scp.
  absl::StatusOr<KaldiDirectory> Finish(int64_t utterances) {
    Note(unaligned_, utterances, "have no alignment");
    Note(unequal_, utterances, "have an alignment of another length");
    Note(not_finite_, utterances, "have NaN or infinite features");
    const bool too_few_aligned = 2 * (unaligned_.count + unequal_.count) > utterances;
    if (too_few_aligned || read_.utterances.empty()) {
      std::string message = absl::StrCat(directory_, ": ", read_.utterances.size(), " of ", utterances,
                                         " utterances can be used, want ",
                                         too_few_aligned ? "half of them" : "one", " at least");
      for (const std::string& note : read_.notes) absl::StrAppend(&message, "; ", note);
      return absl::InvalidArgumentError(message);
    }
    return std::move(read_);
  }

 private:
  std::string Place(const ScpEntry& entry) const {
    return absl::StrCat(directory_, "/feats.scp:", entry.line, ": utterance ", entry.key);
  }

  void Note(const LeftOut& left_out, int64_t utterances, absl::string_view what) {
    if (left_out.count == 0) return;
    read_.notes.push_back(absl::StrCat(directory_, ": ", left_out.count, " of ", utterances, " utterances ",
                                       what, " and are left out; the first is ", left_out.first));
  }

  // Moves the values out of `matrix` if they have to stay in memory.
  absl::Status AddUtterance(const ScpEntry& entry, FloatMatrix& matrix, const std::vector<int32_t>& labels) {
    if (matrix.rows == 0 || matrix.rows != static_cast<int64_t>(labels.size())) {
      unequal_.Add(absl::StrCat(entry.key, " with ", matrix.rows, " frames and ", labels.size(), " labels"));
      return absl::OkStatus();
    }
    if (read_.feature_dim == 0) read_.feature_dim = static_cast<int32_t>(matrix.cols);
    if (matrix.cols != read_.feature_dim) {
      return absl::InvalidArgumentError(absl::StrCat(Place(entry), " has feature dimension ", matrix.cols,
                                                     ", want ", read_.feature_dim,
                                                     ", the first utterance's"));
    }
    if (!AllFinite(matrix.values)) {
      not_finite_.Add(entry.key);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(std::shared_ptr<const char> features, Features(entry, &matrix));
    read_.utterances.push_back(
        {entry.key, static_cast<int64_t>(read_.labels.size()), matrix.rows, std::move(features)});
    read_.labels.insert(read_.labels.end(), labels.begin(), labels.end());
    return absl::OkStatus();
  }

  // Returns them in the mapped archive if they stand there as f32 and it can be mapped, otherwise in memory.
  absl::StatusOr<std::shared_ptr<const char>> Features(const ScpEntry& entry, FloatMatrix* matrix) {
    if (matrix->values_at < 0) return FeaturesInMemory(std::exchange(matrix->values, {}));
    const auto [found, is_new] = mapped_.try_emplace(entry.path);
    if (is_new) {
      absl::StatusOr<std::shared_ptr<const MappedFile>> mapped = MappedFile::Open(entry.path);
      if (mapped.ok()) found->second = *std::move(mapped);
    }
    const std::shared_ptr<const MappedFile>& file = found->second;
    if (file == nullptr) return FeaturesInMemory(std::exchange(matrix->values, {}));
    const char* begin = file->data() + matrix->values_at;
    const int64_t bytes = static_cast<int64_t>(matrix->values.size() * sizeof(float));
    if (file->size() - matrix->values_at < bytes) {
      return absl::DataLossError(
          absl::StrCat(entry.path, ": ", file->size(), " bytes, want ", matrix->values_at + bytes,
                       " at least, as when it was read a moment ago (", Place(entry), ")"));
    }
    return std::shared_ptr<const char>(file, begin);
  }

  const std::string directory_;
  const Alignments alignments_;
  absl::flat_hash_set<std::string> seen_;
  // By path; null: the archive cannot be mapped. Each archive is mapped once, however often feats.scp changes
  // from one to another, since the system allows a process some 65,000 mappings.
  absl::flat_hash_map<std::string, std::shared_ptr<const MappedFile>> mapped_;
  LeftOut unaligned_;
  LeftOut unequal_;
  LeftOut not_finite_;
  KaldiDirectory read_;
};

}  // namespace

absl::StatusOr<std::vector<int32_t>> ReadSilencePdfs(const std::string& directory) {
  return ReadNumbers(directory + "/silence_pdfs", 0, kMostClasses - 1);
}

absl::StatusOr<KaldiDirectory> ReadKaldiDirectory(const std::string& directory,
                                                  const std::string& alignments) {
  ASSIGN_OR_RETURN(const std::vector<ScpEntry> entries, ReadScp(directory + "/feats.scp"));
  ASSIGN_OR_RETURN(const std::vector<int32_t> num_pdfs,
                   ReadNumbers(directory + "/num_pdfs", 1, kMostClasses));
  ASSIGN_OR_RETURN(std::vector<int32_t> silence_pdfs, ReadSilencePdfs(directory));
  ASSIGN_OR_RETURN(Alignments labels, ReadAllAlignments(directory, alignments));
  DirectoryReader reader(directory, std::move(labels));
  RETURN_IF_ERROR(reader.ReadUtterances(entries));
  ASSIGN_OR_RETURN(KaldiDirectory read, reader.Finish(static_cast<int64_t>(entries.size())));
  read.num_pdfs = num_pdfs.empty() ? 0 : num_pdfs.front();
  read.silence_pdfs = std::move(silence_pdfs);
  return read;
}

}  // namespace downpour
