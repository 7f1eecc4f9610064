// Where on the data's way: between utterances and data directories, so that no utterance is made twice.
#ifndef DOWNPOUR_DEPLOY_CORPUS_CORPUS_SHARD_H_
#define DOWNPOUR_DEPLOY_CORPUS_CORPUS_SHARD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace downpour {

struct SpokenUtterance {
  std::string key;  // begins with the speaker, because Kaldi sorts by both
  std::string speaker;
  std::string text;             // words separated by a space
  std::string dropped;          // why it is left out; empty: it is not
  std::vector<float> features;  // [frames, bins]; empty if and only if dropped
  std::vector<int32_t> pdfs;    // [frames]; empty if and only if dropped
};

// An utterance of a shard, without its frames and labels but with their place.
struct StoredUtterance {
  std::string key;
  std::string speaker;
  std::string text;
  std::string dropped;
  int64_t frames = 0;
  std::string shard;            // its folder
  int64_t features_offset = 0;  // in feats.ark
  int64_t pdfs_offset = 0;      // in pdf.ark
};

// Writes folder `path` of feats.ark, pdf.ark and the table "utterances"; it appears whole or not at all.
// RESOURCE_EXHAUSTED, UNAVAILABLE: as ArchiveWriter.
absl::Status WriteShard(const std::string& path, absl::Span<const SpokenUtterance> utterances, int bins);

// The shard's utterances in the order written, at least one. All their frames and labels have been read and
// checked. NOT_FOUND: no such shard. DATA_LOSS: it is damaged (the message says to delete it).
absl::StatusOr<std::vector<StoredUtterance>> ReadShard(const std::string& path, int bins);

// DATA_LOSS: the shard is damaged.
absl::StatusOr<SpokenUtterance> ReadUtterance(const StoredUtterance& stored, int bins);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_CORPUS_SHARD_H_
