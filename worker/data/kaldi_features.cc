// Where on the data's way: from archives to frames; orders the reading, crops ranges, maps or keeps values.
#include "worker/data/kaldi_features.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/file/mapped_file.h"
#include "common/status_macros.h"
#include "common/tensor/finite.h"
#include "worker/data/command_output.h"
#include "worker/data/kaldi_io.h"

namespace downpour {
namespace {

// A command writes one object.
constexpr int64_t kMostCommandBytes = int64_t{1} << 31;

// Values in memory, in few large blocks: a hundred thousand utterances would otherwise be as many mappings of
// their own, since malloc takes one for each that is large.
class ValuesInMemory {
 public:
  explicit ValuesInMemory(int64_t most_bytes) : most_bytes_(most_bytes) {}

  absl::StatusOr<std::shared_ptr<const char>> Keep(absl::Span<const float> values) {
    bytes_ += static_cast<int64_t>(values.size() * sizeof(float));
    RETURN_IF_ERROR(
        CheckMemory("keeping features that cannot stay in their files (compressed, gzipped or text ones; "
                    "copy-feats writes "
                    "such as can)",
                    static_cast<double>(bytes_), most_bytes_));
    if (block_ == nullptr || block_->capacity() - block_->size() < values.size()) {
      constexpr size_t kBlockValues = size_t{1} << 22;
      block_ = std::make_shared<std::vector<float>>();
      block_->reserve(std::max(kBlockValues, values.size()));
    }
    const size_t at = block_->size();
    block_->insert(block_->end(), values.begin(), values.end());
    return std::shared_ptr<const char>(block_, reinterpret_cast<const char*>(block_->data() + at));
  }

 private:
  const int64_t most_bytes_;
  int64_t bytes_ = 0;
  std::shared_ptr<std::vector<float>> block_;
};

class Reader {
 public:
  explicit Reader(const FeatureOptions& options) : options_(options), memory_(options.most_bytes) {}

  // Reads the whole matrix that `entry` names a part of, unless it is the one that was read last.
  absl::Status Load(const ScpEntry& entry) {
    if (loaded_ != nullptr && !entry.is_command && loaded_->path == entry.path &&
        loaded_->offset == entry.offset && !loaded_->is_command) {
      return absl::OkStatus();
    }
    if (entry.is_command) {
      RETURN_IF_ERROR(Run(entry.path));
    } else if (archive_ == nullptr || loaded_->path != entry.path) {
      Close();
      ASSIGN_OR_RETURN(archive_, ArchiveReader::Open(entry.path));
    }
    RETURN_IF_ERROR(archive_->SeekTo(entry.offset));
    const absl::Status read = archive_->ReadMatrix(&matrix_);
    if (absl::IsInvalidArgument(read) && entry.offset == 0 && !entry.is_command) {
      return absl::InvalidArgumentError(
          absl::StrCat(read.message(),
                       "; an archive's first key is at this place, and its first matrix behind it: does the "
                       "scp lack an offset, as in ",
                       entry.path, ":5?"));
    }
    RETURN_IF_ERROR(read);
    if (entry.is_command) {
      matrix_.values_at = -1;  // its bytes stand in no file
      Close();
    }
    loaded_ = &entry;
    return absl::OkStatus();
  }

  // The entry's part of the loaded matrix.
  absl::StatusOr<EntryFeatures> Crop(const ScpEntry& entry,
                                     const std::function<bool(int64_t frames)>& is_wanted) {
    ASSIGN_OR_RETURN(const MatrixRange range, Within(entry.range, matrix_.rows, matrix_.cols));
    EntryFeatures features;
    features.frames = range.last_row - range.first_row + 1;
    features.dim = range.last_col - range.first_col + 1;
    if (!is_wanted(features.frames)) return features;
    const int64_t begin = range.first_row * matrix_.cols;
    absl::Span<const float> values(matrix_.values.data() + begin, features.frames * matrix_.cols);
    int64_t values_at = matrix_.values_at;
    std::vector<float> columns;
    if (features.dim < matrix_.cols) {
      for (int64_t row = 0; row < features.frames; ++row) {
        const auto from = values.begin() + row * matrix_.cols + range.first_col;
        columns.insert(columns.end(), from, from + features.dim);
      }
      values = columns;
      values_at = -1;
    }
    if (!AllFinite(values)) return features;
    if (values_at >= 0) {
      const int64_t at = values_at + begin * static_cast<int64_t>(sizeof(float));
      ASSIGN_OR_RETURN(features.values, Mapped(entry, at, values));
    }
    if (features.values == nullptr) {
      ASSIGN_OR_RETURN(features.values, memory_.Keep(values));
    }
    return features;
  }

  int64_t bytes_passed() const {
    return bytes_passed_ + (archive_ == nullptr ? 0 : archive_->bytes_passed());
  }

 private:
  void Close() {
    bytes_passed_ = bytes_passed();
    archive_.reset();
  }

  absl::Status Run(const std::string& command) {
    if (!options_.allow_commands) {
      return absl::UnimplementedError(
          absl::StrCat("\"", command, "|\": commands in data are run with --allow_commands only"));
    }
    Close();
    ASSIGN_OR_RETURN(std::string output, CommandOutput(command, kMostCommandBytes));
    archive_ = std::make_unique<ArchiveReader>(
        ByteSource::FromMemory(std::move(output), absl::StrCat(command, "|")));
    return absl::OkStatus();
  }

  // The values in the mapped archive, at the offset `at`; null: it cannot be mapped.
  absl::StatusOr<std::shared_ptr<const char>> Mapped(const ScpEntry& entry, int64_t at,
                                                     absl::Span<const float> values) {
    const auto [found, is_new] = mapped_.try_emplace(entry.path);
    if (is_new && mapped_count_ < options_.most_mapped_archives) {
      absl::StatusOr<std::shared_ptr<const MappedFile>> mapped = MappedFile::Open(entry.path);
      if (mapped.ok()) {
        found->second = *std::move(mapped);
        ++mapped_count_;
      }
    }
    const std::shared_ptr<const MappedFile>& file = found->second;
    if (file == nullptr) return std::shared_ptr<const char>();
    const int64_t bytes = static_cast<int64_t>(values.size() * sizeof(float));
    if (file->size() - at < bytes) {
      return absl::DataLossError(absl::StrCat(entry.path, ": ", file->size(), " bytes, want ", at + bytes,
                                              " at least, as when it was read a moment ago"));
    }
    return std::shared_ptr<const char>(file, file->data() + at);
  }

  const FeatureOptions& options_;
  ValuesInMemory memory_;
  std::unique_ptr<ArchiveReader> archive_;  // of loaded_->path; null after a command
  const ScpEntry* loaded_ = nullptr;        // the entry whose matrix is in matrix_; null: none yet
  FloatMatrix matrix_;
  absl::flat_hash_map<std::string, std::shared_ptr<const MappedFile>> mapped_;  // null: not mapped
  int64_t mapped_count_ = 0;
  int64_t bytes_passed_ = 0;
};

// The order in which the archives are read from front to back, and they themselves as they come first.
std::vector<size_t> ReadingOrder(absl::Span<const ScpEntry> entries) {
  absl::flat_hash_map<absl::string_view, size_t> first_entry;  // of each path
  std::vector<size_t> order(entries.size());
  std::vector<size_t> archive(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    order[i] = i;
    archive[i] = first_entry.try_emplace(entries[i].path, i).first->second;
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(archive[a], entries[a].offset, a) < std::tie(archive[b], entries[b].offset, b);
  });
  return order;
}

}  // namespace

absl::StatusOr<FeaturesRead> ReadFeatures(absl::Span<const ScpEntry> entries, const std::string& scp,
                                          const FeatureOptions& options,
                                          const std::function<bool(size_t i, int64_t frames)>& is_wanted) {
  FeaturesRead read;
  read.entries.resize(entries.size());
  Reader reader(options);
  for (const size_t i : ReadingOrder(entries)) {
    if (!is_wanted(i, -1)) continue;
    absl::Status status = reader.Load(entries[i]);
    if (status.ok()) {
      absl::StatusOr<EntryFeatures> features =
          reader.Crop(entries[i], [&](int64_t frames) { return is_wanted(i, frames); });
      status = features.status();
      if (status.ok()) read.entries[i] = *std::move(features);
    }
    if (status.ok()) continue;
    return absl::Status(status.code(), absl::StrCat(status.message(), " (", scp, ":", entries[i].line,
                                                    ": utterance ", entries[i].key, ")"));
  }
  read.bytes_passed = reader.bytes_passed();
  return read;
}

}  // namespace downpour
