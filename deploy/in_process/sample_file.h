// Where on the data's way: in process, beside training; what shards noted of single elements goes to a file.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_SAMPLE_FILE_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_SAMPLE_FILE_H_

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/layout/parameter_layout.h"
#include "deploy/in_process/in_process_shards.h"
#include "server/storage/append_file.h"

namespace downpour {

// `elements` keys of each weight matrix of the layout (fewer where it is smaller), drawn by `seed`; ascending.
std::vector<int64_t> KeysToSample(const ParameterLayout& layout, int elements, uint64_t seed);

// <run folder>/samples.csv, with the columns update, key, layer (0 is the lowest), step_size and change. A run
// that goes on from a checkpoint makes some updates again, with the same bits: what has a line already gets no
// other. Move-only; not thread-safe.
class SampleFile {
 public:
  // Goes on with the file of the run, or makes it. Statuses as NetworkLayout() and FileError().
  static absl::StatusOr<SampleFile> Open(const std::string& run_dir, const RunDescription& description,
                                         const DataSummary& data);

  // Writes what the shards have noted since the last call; the first one makes them begin. Where
  // sampling.every_updates is 0, does nothing. Statuses as ParameterShard::Sample() and AppendFile::Flush().
  absl::Status TakeFrom(const InProcessShards& shards);

 private:
  SampleFile() = default;

  uint64_t every_updates_ = 0;
  std::vector<int64_t> keys_;
  std::vector<int64_t> layer_ends_;  // keys
  std::optional<AppendFile> file_;
  std::set<std::pair<uint64_t, uint64_t>> written_;  // (update, key)
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_SAMPLE_FILE_H_
