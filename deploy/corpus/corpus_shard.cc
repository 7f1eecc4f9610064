// Where on the data's way: a shard is two archives and a table; all is read and checked before it is used.
#include "deploy/corpus/corpus_shard.h"

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/status_macros.h"
#include "deploy/corpus/kaldi_writer.h"
#include "deploy/corpus/replace_folder.h"
#include "worker/data/kaldi_io.h"
#include "worker/data/kaldi_scp.h"

namespace downpour {
namespace {

// Separated by tabs: key, speaker, text, why dropped, frames, offset in feats.ark, offset in pdf.ark.
constexpr size_t kColumns = 7;
constexpr int64_t kMostFrames = int64_t{1} << 28;

absl::Status Damaged(const std::string& path, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(path, ": damaged (", what, "); delete this folder to have it made again"));
}

// The offsets of an archive's entries, in order.
absl::StatusOr<std::vector<int64_t>> Offsets(const std::string& scp_path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(scp_path));
  ASSIGN_OR_RETURN(const std::vector<ScpEntry> entries, ParseScp(text, scp_path));
  std::vector<int64_t> offsets;
  offsets.reserve(entries.size());
  for (const ScpEntry& entry : entries) offsets.push_back(entry.offset);
  return offsets;
}

}  // namespace

absl::Status WriteShard(const std::string& path, absl::Span<const SpokenUtterance> utterances, int bins) {
  ASSIGN_OR_RETURN(const std::string partial, NewPartialFolder(path));
  const std::string features_path = absl::StrCat(partial, "/feats"),
                    pdfs_path = absl::StrCat(partial, "/pdf");
  ASSIGN_OR_RETURN(const auto features,
                   ArchiveWriter::Create(features_path + ".ark", features_path + ".scp", "feats.ark"));
  ASSIGN_OR_RETURN(const auto pdfs, ArchiveWriter::Create(pdfs_path + ".ark", pdfs_path + ".scp", "pdf.ark"));
  for (const SpokenUtterance& utterance : utterances) {
    if (!utterance.dropped.empty()) continue;
    RETURN_IF_ERROR(features->WriteMatrix(utterance.key, bins, utterance.features));
    RETURN_IF_ERROR(pdfs->WriteIntVector(utterance.key, utterance.pdfs));
  }
  RETURN_IF_ERROR(features->Close());
  RETURN_IF_ERROR(pdfs->Close());

  ASSIGN_OR_RETURN(const std::vector<int64_t> feature_offsets, Offsets(features_path + ".scp"));
  ASSIGN_OR_RETURN(const std::vector<int64_t> pdf_offsets, Offsets(pdfs_path + ".scp"));
  std::string table;
  size_t kept = 0;
  for (const SpokenUtterance& u : utterances) {
    absl::StrAppend(&table, u.key, "\t", u.speaker, "\t", u.text, "\t", u.dropped, "\t", u.pdfs.size());
    if (u.dropped.empty()) {
      absl::StrAppend(&table, "\t", feature_offsets[kept], "\t", pdf_offsets[kept], "\n");
      ++kept;
    } else {
      absl::StrAppend(&table, "\t0\t0\n");
    }
  }
  RETURN_IF_ERROR(ReplaceFile(absl::StrCat(partial, "/utterances"), {table}));
  return ReplaceFolder(partial, path);
}

absl::StatusOr<std::vector<StoredUtterance>> ReadShard(const std::string& path, int bins) {
  ASSIGN_OR_RETURN(const std::string table, ReadFile(absl::StrCat(path, "/utterances")));
  std::vector<StoredUtterance> utterances;
  for (const absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> columns = absl::StrSplit(line, '\t');
    if (columns.size() != kColumns)
      return Damaged(path, absl::StrCat("a line of ", columns.size(), " columns"));
    StoredUtterance u{columns[0], columns[1], columns[2], columns[3], 0, path, 0, 0};
    if (!absl::SimpleAtoi(columns[4], &u.frames) || !absl::SimpleAtoi(columns[5], &u.features_offset) ||
        !absl::SimpleAtoi(columns[6], &u.pdfs_offset)) {
      return Damaged(path, "a number that is none");
    }
    if (u.frames < 0 || u.frames > kMostFrames || (u.frames == 0) != !u.dropped.empty())
      return Damaged(path, absl::StrCat(u.key, " of ", u.frames, " frames"));
    if (u.dropped.empty()) RETURN_IF_ERROR(ReadUtterance(u, bins).status());
    utterances.push_back(std::move(u));
  }
  if (utterances.empty()) return Damaged(path, "an empty table");
  return utterances;
}

absl::StatusOr<SpokenUtterance> ReadUtterance(const StoredUtterance& stored, int bins) {
  SpokenUtterance utterance{stored.key, stored.speaker, stored.text, stored.dropped, {}, {}};
  FloatMatrix matrix;
  const auto read = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto features, ArchiveReader::Open(absl::StrCat(stored.shard, "/feats.ark")));
    RETURN_IF_ERROR(features->SeekTo(stored.features_offset));
    RETURN_IF_ERROR(features->ReadMatrix(&matrix));
    ASSIGN_OR_RETURN(const auto pdfs, ArchiveReader::Open(absl::StrCat(stored.shard, "/pdf.ark")));
    RETURN_IF_ERROR(pdfs->SeekTo(stored.pdfs_offset));
    return pdfs->ReadIntVector(&utterance.pdfs);
  };
  if (const absl::Status status = read(); !status.ok()) return Damaged(stored.shard, status.message());
  const int64_t labels = static_cast<int64_t>(utterance.pdfs.size());
  if (matrix.rows != stored.frames || labels != stored.frames || matrix.cols != bins) {
    return Damaged(stored.shard,
                   absl::StrCat(stored.key, " has ", matrix.rows, " frames of ", matrix.cols, " and ", labels,
                                " labels, want ", stored.frames, " of ", bins));
  }
  utterance.features = std::move(matrix.values);
  return utterance;
}

}  // namespace downpour
