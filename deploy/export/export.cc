// Where on the data's way: joins the shards' parameters, from the checkpoints of either clock, in key order.
#include "deploy/export/export.h"

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "deploy/export/safetensors.h"
#include "server/coordinator/coordinator_checkpointer.h"
#include "server/shard/checkpointer.h"
#include "server/storage/folder_number.h"

namespace downpour {
namespace {

// One shard's part of the parameters, and the file it comes from.
struct ShardPart {
  ShardCheckpoint header;
  absl::string_view parameters;  // float32; refers to the file's memory
  std::string path;
};

template <typename Header>
absl::StatusOr<Header> ParseHeader(const CheckpointFile& file, const std::string& path) {
  Header header;
  if (header.ParseFromString(file.header)) return header;
  return absl::DataLossError(absl::StrCat(path, ": its header is not a ", header.GetTypeName()));
}

absl::StatusOr<ParameterLayout> LayoutOf(const ShardPart& shard) {
  std::vector<ParameterLayout::TensorSpec> specs;
  for (const TensorShape& tensor : shard.header.layout()) {
    specs.push_back({tensor.name(), {tensor.shape().begin(), tensor.shape().end()}});
  }
  absl::StatusOr<ParameterLayout> layout = ParameterLayout::Create(std::move(specs));
  if (!layout.ok()) return absl::DataLossError(absl::StrCat(shard.path, ": ", layout.status().message()));
  return layout;
}

// Copies the shards' ranges, each beginning where the one before ends, from key 0 to the layout's end.
absl::StatusOr<TrainedNetwork> Join(CoordinatorCheckpoint run, const std::vector<ShardPart>& shards) {
  if (shards.empty()) return absl::DataLossError("the checkpoint holds no shard");
  TrainedNetwork network;
  network.run = std::move(run);
  ASSIGN_OR_RETURN(network.layout, LayoutOf(shards[0]));
  uint64_t at = 0;
  for (const ShardPart& shard : shards) {
    const ShardCheckpoint& header = shard.header;
    if (header.run().run_id() != network.run.run_id() ||
        header.run().layout_fingerprint() != network.layout.fingerprint()) {
      return absl::DataLossError(absl::StrCat(shard.path, ": of run '", header.run().run_id(),
                                              "' and layout ", header.run().layout_fingerprint(), ", want '",
                                              network.run.run_id(), "' and ", network.layout.fingerprint()));
    }
    const size_t elements = shard.parameters.size() / sizeof(float);
    if (header.begin() != at || header.end() != at + elements) {
      return absl::DataLossError(absl::StrCat(shard.path, ": ", elements, " parameters of keys [",
                                              header.begin(), ", ", header.end(), "), want them to begin at ",
                                              at));
    }
    network.parameters.resize(header.end());
    std::memcpy(network.parameters.data() + at, shard.parameters.data(), elements * sizeof(float));
    at = header.end();
  }
  if (at != static_cast<uint64_t>(network.layout.size())) {
    return absl::DataLossError(absl::StrCat(shards.back().path, ": the last shard ends at key ", at,
                                            ", the layout at ", network.layout.size()));
  }
  return network;
}

absl::StatusOr<TrainedNetwork> ReadCluster(const CheckpointFile& file, const std::string& path) {
  ASSIGN_OR_RETURN(const VirtualClusterCheckpoint header, ParseHeader<VirtualClusterCheckpoint>(file, path));
  std::vector<ShardPart> shards;
  for (int k = 0; k < header.shards_size(); ++k) {
    ASSIGN_OR_RETURN(const absl::string_view parameters, file.Find(absl::StrCat("shard ", k, "/parameters")));
    shards.push_back({header.shards(k), parameters, path});
  }
  return Join(header.coordinator(), shards);
}

// The folder in which the shard's primary has its state, by the number that the coordinator keeps: that of the
// standbys if one of them has taken the primary's place.
absl::StatusOr<std::string> StateFolder(const std::string& run_dir, uint64_t number) {
  const std::string standbys = run_dir + "/standbys";
  const absl::StatusOr<uint64_t> of_standbys = ReadFolderNumber(standbys);
  if (!absl::IsNotFound(of_standbys.status())) RETURN_IF_ERROR(of_standbys.status());
  return of_standbys.ok() && *of_standbys == number ? standbys : run_dir + "/checkpoints";
}

absl::StatusOr<TrainedNetwork> ReadProcesses(const std::string& run_dir) {
  const std::string directory = run_dir + "/checkpoints";
  ASSIGN_OR_RETURN(CoordinatorCheckpoint run, LoadCoordinatorCheckpoint(directory + "/coordinator.ckpt"));
  std::vector<CheckpointFile> files;
  std::vector<ShardPart> shards;
  for (int k = 0; k < run.description().cluster().shards(); ++k) {
    uint64_t number = 0;
    for (const ShardAddress& shard : run.shards()) {
      if (shard.shard() == static_cast<uint32_t>(k)) number = shard.folder();
    }
    ASSIGN_OR_RETURN(const std::string folder, StateFolder(run_dir, number));
    const std::string path = ShardCheckpointPath(folder, k);
    ASSIGN_OR_RETURN(CheckpointFile file, ReadCheckpointFile(path, "downpour.ShardCheckpoint"));
    ASSIGN_OR_RETURN(ShardCheckpoint header, ParseHeader<ShardCheckpoint>(file, path));
    ASSIGN_OR_RETURN(const absl::string_view parameters, file.Find("parameters"));
    shards.push_back({std::move(header), parameters, path});
    files.push_back(std::move(file));
  }
  return Join(std::move(run), shards);
}

std::vector<std::pair<std::string, std::string>> Metadata(const CoordinatorCheckpoint& run) {
  const RunDescription& description = run.description();
  const OptimizerDescription& optimizer = description.optimizer();
  std::vector<std::pair<std::string, std::string>> metadata = {
      {"format", "downpour"},
      {"name", description.name()},
      {"run_id", run.run_id()},
      {"nonlinearity",
       absl::AsciiStrToLower(NetworkDescription::Nonlinearity_Name(description.network().nonlinearity()))},
      {"left_context", absl::StrCat(description.data().left_context())},
      {"right_context", absl::StrCat(description.data().right_context())},
      {"optimizer", OptimizerDescription::Kind_Name(optimizer.kind())},
      {"rho", absl::StrCat(optimizer.rho())},
      {"epsilon", absl::StrCat(optimizer.epsilon())},
      {"learning_rate", absl::StrCat(optimizer.learning_rate())},
      {"updates", absl::StrCat(run.updates())}};
  const TestSetResult& test = run.evaluations().last_recorded().test();
  if (test.frames() > 0) {
    metadata.emplace_back("test_frame_accuracy", absl::StrCat(static_cast<double>(test.correct()) /
                                                              static_cast<double>(test.frames())));
  }
  return metadata;
}

}  // namespace

absl::StatusOr<TrainedNetwork> ReadTrainedNetwork(const std::string& run_dir) {
  const std::string cluster_path = run_dir + "/checkpoints/cluster.ckpt";
  const auto cluster = ReadCheckpointFile(cluster_path, "downpour.VirtualClusterCheckpoint");
  if (cluster.ok()) return ReadCluster(*cluster, cluster_path);
  if (!absl::IsNotFound(cluster.status())) return cluster.status();
  return ReadProcesses(run_dir);
}

absl::Status ExportSafetensors(const TrainedNetwork& network, const std::string& path) {
  Safetensors file;
  file.metadata = Metadata(network.run);
  for (const ParameterLayout::Tensor& tensor : network.layout.tensors()) {
    file.tensors.push_back(
        {tensor.name, tensor.shape,
         absl::MakeSpan(network.parameters).subspan(tensor.keys.begin, tensor.keys.size())});
  }
  const DataSummary& data = network.run.data();
  file.tensors.push_back({"normalization/mean", {data.feature_mean_size()}, data.feature_mean()});
  file.tensors.push_back({"normalization/stddev", {data.feature_stddev_size()}, data.feature_stddev()});
  return WriteSafetensors(path, file);
}

}  // namespace downpour
