// Where on the data's way: writes archives and tables, sorted by key, to a folder that replaces the old one.
#include "deploy/corpus/corpus_directory.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "deploy/corpus/kaldi_writer.h"
#include "deploy/corpus/replace_folder.h"

namespace downpour {
namespace {

absl::Status WriteTables(const std::string& folder, const std::vector<StoredUtterance>& utterances,
                         const CorpusClasses& classes) {
  std::string text, utt2spk;
  std::map<std::string, std::vector<std::string>> keys_of_speaker;
  for (const StoredUtterance& u : utterances) {
    absl::StrAppend(&text, u.key, " ", u.text, "\n");
    absl::StrAppend(&utt2spk, u.key, " ", u.speaker, "\n");
    keys_of_speaker[u.speaker].push_back(u.key);
  }
  std::string spk2utt;
  for (const auto& [speaker, keys] : keys_of_speaker) {
    absl::StrAppend(&spk2utt, speaker, " ", absl::StrJoin(keys, " "), "\n");
  }
  RETURN_IF_ERROR(ReplaceFile(absl::StrCat(folder, "/text"), {text}));
  RETURN_IF_ERROR(ReplaceFile(absl::StrCat(folder, "/utt2spk"), {utt2spk}));
  RETURN_IF_ERROR(ReplaceFile(absl::StrCat(folder, "/spk2utt"), {spk2utt}));
  RETURN_IF_ERROR(ReplaceFile(absl::StrCat(folder, "/num_pdfs"), {absl::StrCat(classes.num_pdfs, "\n")}));
  return ReplaceFile(absl::StrCat(folder, "/silence_pdfs"),
                     {absl::StrCat(absl::StrJoin(classes.silence_pdfs, "\n"), "\n")});
}

}  // namespace

absl::StatusOr<std::string> WriteCorpusDirectory(const std::string& path,
                                                 std::vector<StoredUtterance> utterances,
                                                 const CorpusClasses& classes,
                                                 const std::function<absl::Status()>& written) {
  std::map<std::string, int64_t> dropped;  // by reason
  for (const StoredUtterance& u : utterances) {
    if (!u.dropped.empty()) ++dropped[u.dropped];
  }
  const size_t dropped_count =
      std::erase_if(utterances, [](const StoredUtterance& u) { return !u.dropped.empty(); });
  std::sort(utterances.begin(), utterances.end(), [](const auto& a, const auto& b) { return a.key < b.key; });

  ASSIGN_OR_RETURN(const std::string partial, NewPartialFolder(path));
  ASSIGN_OR_RETURN(const auto features,
                   ArchiveWriter::Create(absl::StrCat(partial, "/feats.ark"),
                                         absl::StrCat(partial, "/feats.scp"), "feats.ark"));
  ASSIGN_OR_RETURN(const auto pdfs, ArchiveWriter::Create(absl::StrCat(partial, "/pdf.ark"), ""));
  int64_t frames = 0;
  absl::flat_hash_set<int32_t> senones;
  for (const StoredUtterance& stored : utterances) {
    ASSIGN_OR_RETURN(const SpokenUtterance utterance, ReadUtterance(stored, classes.bins));
    RETURN_IF_ERROR(features->WriteMatrix(utterance.key, classes.bins, utterance.features));
    RETURN_IF_ERROR(pdfs->WriteIntVector(utterance.key, utterance.pdfs));
    frames += stored.frames;
    senones.insert(utterance.pdfs.begin(), utterance.pdfs.end());
    RETURN_IF_ERROR(written());
  }
  RETURN_IF_ERROR(features->Close());
  RETURN_IF_ERROR(pdfs->Close());
  RETURN_IF_ERROR(WriteTables(partial, utterances, classes));
  RETURN_IF_ERROR(ReplaceFolder(partial, path));

  std::vector<std::string> reasons;
  reasons.reserve(dropped.size());
  for (const auto& [reason, count] : dropped) reasons.push_back(absl::StrCat(count, " ", reason));
  return absl::StrFormat("%s: %d utterances, %.2f h, %d frames, %d of %d senones; dropped %d%s",
                         std::filesystem::path(path).filename().string(), utterances.size(),
                         static_cast<double>(frames) / kFramesAnHour, frames, senones.size(),
                         classes.num_pdfs, dropped_count,
                         reasons.empty() ? "" : absl::StrCat(" (", absl::StrJoin(reasons, ", "), ")"));
}

}  // namespace downpour
