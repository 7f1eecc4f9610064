// Where on the data's way: from the archives that feats.scp names to utterances' frames, in memory or mapped.
#ifndef DOWNPOUR_WORKER_DATA_KALDI_FEATURES_H_
#define DOWNPOUR_WORKER_DATA_KALDI_FEATURES_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/program/memory.h"
#include "worker/data/kaldi_scp.h"

namespace downpour {

struct FeatureOptions {
  // Run the commands that stand in feats.scp. A data directory of somebody else's could run anything.
  bool allow_commands = false;
  // Of features that have to be in memory.
  int64_t most_bytes = MemoryLimit();
  // The system allows a process some 65,000 mappings, and others need some too. What is in further archives
  // is read into memory.
  int64_t most_mapped_archives = 32768;
};

// The object of one entry of an scp.
struct EntryFeatures {
  int64_t frames = 0;
  int64_t dim = 0;
  // [frames, dim] f32, row-major, at any address; null: not wanted, or a value is NaN or infinite.
  std::shared_ptr<const char> values;
};

struct FeaturesRead {
  std::vector<EntryFeatures> entries;  // in the order of the entries asked for
  int64_t bytes_passed = 0;            // as ByteSource's, of all archives
};

// Reads what `entries`, those of the file `scp`, name. Each archive is opened once and read from front to
// back, whatever the order of the entries, since a gzipped one can only be read so; a matrix of which several
// entries name parts is read once. Plain f32 matrices (FM in a file that is not gzipped) stay in their file,
// which is mapped; all others are copied into memory.
// `is_wanted(i, frames)` says whether the features of entries[i] are to be kept; called with frames -1 before
// the object is read, and false then leaves it unread.
// FAILED_PRECONDITION: more than options.most_bytes would be needed. UNIMPLEMENTED: a command that is not
// allowed. INVALID_ARGUMENT: a range that is not within its matrix. Others: as kaldi_io.h and
// command_output.h. All messages name the line of the scp and the utterance.
absl::StatusOr<FeaturesRead> ReadFeatures(absl::Span<const ScpEntry> entries, const std::string& scp,
                                          const FeatureOptions& options,
                                          const std::function<bool(size_t i, int64_t frames)>& is_wanted);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_KALDI_FEATURES_H_
