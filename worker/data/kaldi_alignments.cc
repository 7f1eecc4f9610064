// Where on the data's way: from the alignments of a Kaldi data directory to labels by utterance.
#include "worker/data/kaldi_alignments.h"

#include <glob.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/data/kaldi_io.h"

namespace downpour {
namespace {

std::vector<std::string> FilesThatMatch(absl::string_view directory, absl::string_view pattern) {
  std::string whole;
  for (const char c : directory) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') whole.push_back('\\');
    whole.push_back(c);
  }
  absl::StrAppend(&whole, "/", pattern);
  std::vector<std::string> files;
  glob_t matches;
  if (glob(whole.c_str(), GLOB_MARK, nullptr, &matches) == 0) {
    for (const char* const file : absl::MakeConstSpan(matches.gl_pathv, matches.gl_pathc))
      if (!absl::EndsWith(file, ".scp") && !absl::EndsWith(file, "/")) files.emplace_back(file);
  }
  globfree(&matches);
  return files;
}

absl::Status ReadArchive(const std::string& path, Alignments* alignments) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ArchiveReader> reader, ArchiveReader::Open(path));
  std::string key;
  std::string last_key;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, reader->NextKey(&key));
    if (!more) break;
    std::vector<int32_t> labels;
    RETURN_IF_ERROR(reader->ReadIntVector(&labels));
    const auto bad = std::find_if(labels.begin(), labels.end(),
                                  [](int32_t label) { return label < 0 || label >= kMostClasses; });
    if (bad != labels.end()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": utterance ", key, ": label ", *bad,
                                                     " of frame ", bad - labels.begin(),
                                                     ", want a pdf id from 0, below ", kMostClasses));
    }
    if (!alignments->labels.try_emplace(key, std::move(labels)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": utterance ", key, " is aligned for the second time"));
    }
    last_key = key;
  }
  if (reader->lacks_line_end()) {
    alignments->notes.push_back(absl::StrCat(path, ": no line end after the last label, ",
                                             alignments->labels[last_key].back(), " of utterance ", last_key,
                                             "; it is taken as it is, but the file may be cut short"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Alignments> ReadAlignments(const std::string& directory, const std::string& pattern) {
  const std::vector<std::string> files = FilesThatMatch(directory, pattern);
  if (files.empty()) {
    return absl::NotFoundError(
        absl::StrCat(directory, "/", pattern,
                     ": no such file, want alignments as archives of pdf ids. Kaldi makes them with ",
                     "ali-to-pdf final.mdl \"ark:gunzip -c ali.*.gz|\" ark:", directory, "/pdf.ark"));
  }
  Alignments alignments;
  for (const std::string& file : files) RETURN_IF_ERROR(ReadArchive(file, &alignments));
  return alignments;
}

}  // namespace downpour
