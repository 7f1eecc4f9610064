// Where on the data's way: guards deploy/export/: a checkpoint becomes a safetensors file that any program
// can read.
#include "deploy/export/export.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "absl/strings/str_cat.h"
#include "deploy/export/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/storage/checkpoint_file.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One tensor, read as the published format says, by code that shares nothing with the writer.
struct ReadTensor {
  std::string shape;
  std::vector<float> values;
};

std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Json(const std::string& bytes) {
  uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  EXPECT_EQ(size % 8, 0u);
  return bytes.substr(8, size);
}

ReadTensor ReadFrom(const std::string& bytes, const std::string& name) {
  const std::string json = Json(bytes);
  std::smatch match;
  const std::regex entry(
      "\"" + name +
      "\":\\{\"dtype\":\"F32\",\"shape\":\\[([0-9,]+)\\],\"data_offsets\":\\[([0-9]+),([0-9]+)\\]");
  EXPECT_TRUE(std::regex_search(json, match, entry)) << name << " in " << json;
  const size_t begin = std::stoul(match[2]), end = std::stoul(match[3]);
  EXPECT_LE(8 + json.size() + end, bytes.size());
  ReadTensor tensor{match[1], std::vector<float>((end - begin) / 4)};
  std::memcpy(tensor.values.data(), bytes.data() + 8 + json.size() + begin, end - begin);
  return tensor;
}

// A network of 2 inputs, 3 classes: "layer0/weights" [3, 2] and "layer0/bias" [3], parameters 0.5, 1.5, ...,
// 8.5, of which the first shard holds 5 and the second 4.
class Export : public ::testing::Test {
 protected:
  Export() {
    std::filesystem::remove_all(run_dir_);
    std::filesystem::create_directories(run_dir_ + "/checkpoints");
    run_.set_run_id("run \"1\"");
    run_.set_updates(1234);
    run_.mutable_description()->mutable_cluster()->set_shards(2);
    run_.mutable_description()->mutable_network()->set_nonlinearity(NetworkDescription::LOGISTIC);
    for (float value : {3.0f, 4.0f}) run_.mutable_data()->add_feature_mean(value);
    for (float value : {0.25f, 2.0f}) run_.mutable_data()->add_feature_stddev(value);
    TestSetResult* test = run_.mutable_evaluations()->mutable_last_recorded()->mutable_test();
    test->set_frames(8);
    test->set_correct(3);
    for (int i = 0; i < 9; ++i) parameters_.push_back(static_cast<float>(i) + 0.5f);
  }

  ShardCheckpoint Shard(int shard, uint64_t begin, uint64_t end) const {
    const auto layout = ParameterLayout::Create({{"layer0/weights", {3, 2}}, {"layer0/bias", {3}}});
    ShardCheckpoint header;
    header.mutable_run()->set_run_id(run_.run_id());
    header.mutable_run()->set_layout_fingerprint(layout->fingerprint());
    header.set_shard(shard);
    header.set_begin(begin);
    header.set_end(end);
    for (const auto& tensor : layout->tensors()) {
      TensorShape* shape = header.add_layout();
      shape->set_name(tensor.name);
      for (int64_t dimension : tensor.shape) shape->add_shape(dimension);
    }
    return header;
  }
  absl::string_view Bytes(uint64_t begin, uint64_t end) const {
    return {reinterpret_cast<const char*>(parameters_.data() + begin), (end - begin) * sizeof(float)};
  }

  void Write(const std::string& name, const google::protobuf::Message& header,
             std::vector<CheckpointFile::Section> sections) const {
    CheckpointFile file;
    file.kind = header.GetTypeName();
    file.header = header.SerializeAsString();
    file.sections = std::move(sections);
    ASSERT_TRUE(WriteCheckpointFile(absl::StrCat(run_dir_, "/checkpoints/", name), file).ok());
  }
  void WriteCluster(uint64_t first_end, uint64_t second_begin) const {
    VirtualClusterCheckpoint cluster;
    *cluster.mutable_coordinator() = run_;
    *cluster.add_shards() = Shard(0, 0, first_end);
    *cluster.add_shards() = Shard(1, second_begin, 9);
    Write("cluster.ckpt", cluster,
          {{"shard 0/parameters", Bytes(0, first_end)}, {"shard 1/parameters", Bytes(second_begin, 9)}});
  }
  void WriteProcesses() const {
    Write("coordinator.ckpt", run_, {});
    Write("shard-0.ckpt", Shard(0, 0, 5), {{"parameters", Bytes(0, 5)}});
    Write("shard-1.ckpt", Shard(1, 5, 9), {{"parameters", Bytes(5, 9)}});
  }

  const std::string run_dir_ = ::testing::TempDir() + "/export_test_" +
                               ::testing::UnitTest::GetInstance()->current_test_info()->name();
  CoordinatorCheckpoint run_;
  std::vector<float> parameters_;
};

TEST_F(Export, WritesWhatTheCheckpointHolds) {
  for (const bool processes : {false, true}) {
    std::filesystem::remove(run_dir_ + "/checkpoints/cluster.ckpt");
    processes ? WriteProcesses() : WriteCluster(5, 5);
    const auto network = ReadTrainedNetwork(run_dir_);
    ASSERT_TRUE(network.ok()) << network.status();
    const std::string path = run_dir_ + "/model.safetensors";
    ASSERT_TRUE(ExportSafetensors(*network, path).ok());

    const std::string bytes = FileBytes(path);
    const ReadTensor weights = ReadFrom(bytes, "layer0/weights"), bias = ReadFrom(bytes, "layer0/bias");
    EXPECT_EQ(weights.shape, "3,2");
    EXPECT_THAT(weights.values, ElementsAre(0.5, 1.5, 2.5, 3.5, 4.5, 5.5));
    EXPECT_EQ(bias.shape, "3");
    EXPECT_THAT(bias.values, ElementsAre(6.5, 7.5, 8.5));
    EXPECT_THAT(ReadFrom(bytes, "normalization/mean").values, ElementsAre(3, 4));
    EXPECT_THAT(ReadFrom(bytes, "normalization/stddev").values, ElementsAre(0.25, 2));
    EXPECT_EQ(bytes.size(), 8 + Json(bytes).size() + (9 + 4) * 4);
    for (const char* entry : {"\"nonlinearity\":\"logistic\"", "\"optimizer\":\"ADADELTA\"",
                              "\"updates\":\"1234\"", "\"left_context\":\"15\"", "\"right_context\":\"10\"",
                              "\"test_frame_accuracy\":\"0.375\"", "\"run_id\":\"run \\\"1\\\"\""}) {
      EXPECT_THAT(Json(bytes), HasSubstr(entry));
    }
  }
}

// The file must have the parameters with which a virtual cluster ends, tensor by tensor.
TEST_F(Export, WritesWhatARunHasLearned) {
  VirtualRunOptions options;
  options.checkpoint_path = run_dir_ + "/checkpoints/cluster.ckpt";
  const VirtualRunResult run = RunVirtually(SyntheticRun(), options);
  ASSERT_EQ(run.status, absl::OkStatus());
  const auto network = ReadTrainedNetwork(run_dir_);
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->parameters, run.parameters);
  const std::string path = run_dir_ + "/model.safetensors";
  ASSERT_TRUE(ExportSafetensors(*network, path).ok());

  const std::string bytes = FileBytes(path);
  std::vector<float> values;
  for (const auto& [name, shape] :
       std::vector<std::pair<std::string, std::string>>{{"layer0/weights", "16,2"},
                                                        {"layer0/bias", "16"},
                                                        {"layer1/weights", "5,16"},
                                                        {"layer1/bias", "5"}}) {
    const ReadTensor tensor = ReadFrom(bytes, name);
    EXPECT_EQ(tensor.shape, shape) << name;
    values.insert(values.end(), tensor.values.begin(), tensor.values.end());
  }
  EXPECT_EQ(values, run.parameters);
  EXPECT_THAT(ReadFrom(bytes, "normalization/mean").values, ElementsAre(0, 0));
  EXPECT_THAT(ReadFrom(bytes, "normalization/stddev").values, ElementsAre(1, 1));
  EXPECT_THAT(Json(bytes), AllOf(HasSubstr("\"updates\":\"100\""), HasSubstr("\"nonlinearity\":\"relu\"")));
}

TEST_F(Export, RefusesShardsThatDoNotMeet) {
  WriteCluster(5, 6);
  EXPECT_TRUE(absl::IsDataLoss(ReadTrainedNetwork(run_dir_).status()));
  WriteCluster(5, 4);
  EXPECT_TRUE(absl::IsDataLoss(ReadTrainedNetwork(run_dir_).status()));
}

TEST_F(Export, RefusesShardsOfAnotherRunAndMissingOnes) {
  WriteProcesses();
  std::filesystem::remove(run_dir_ + "/checkpoints/shard-1.ckpt");
  absl::Status status = ReadTrainedNetwork(run_dir_).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("shard-1.ckpt"));

  run_.set_run_id("another");
  Write("shard-1.ckpt", Shard(1, 5, 9), {{"parameters", Bytes(5, 9)}});
  status = ReadTrainedNetwork(run_dir_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(status.message(), AllOf(HasSubstr("shard-1.ckpt"), HasSubstr("another")));
}

// A standby that has taken the primary's place has learned more than the primary's folder knows.
TEST_F(Export, TakesAPromotedStandbysParameters) {
  const auto write_number = [&](const std::string& folder, const std::string& hexadecimal) {
    std::ofstream(absl::StrCat(run_dir_, "/", folder, "/.folder")) << hexadecimal << "\n";
  };
  std::filesystem::create_directories(run_dir_ + "/standbys");
  write_number("checkpoints", "a");
  write_number("standbys", "b");
  ShardAddress* shard = run_.add_shards();
  shard->set_shard(1);
  shard->set_folder(0xb);
  WriteProcesses();
  parameters_[8] = 100;
  Write("../standbys/shard-0.ckpt", Shard(0, 0, 5), {{"parameters", Bytes(4, 9)}});
  Write("../standbys/shard-1.ckpt", Shard(1, 5, 9), {{"parameters", Bytes(5, 9)}});
  const auto network = ReadTrainedNetwork(run_dir_);
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_THAT(network->parameters, ElementsAre(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 100));

  write_number("standbys", "no number");
  EXPECT_TRUE(absl::IsDataLoss(ReadTrainedNetwork(run_dir_).status()));
}

TEST_F(Export, SaysWhereAFolderHasNoCheckpoint) {
  const absl::Status status = ReadTrainedNetwork(run_dir_).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr(run_dir_));
}

TEST(Safetensors, MatchesTheWorkedExample) {
  const std::vector<float> values = {1, 2};
  const std::string path = ::testing::TempDir() + "/worked_example.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, {{{"a", "b"}}, {{"t", {2}, values}}}).ok());
  const std::string json =
      R"({"__metadata__":{"a":"b"},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(FileBytes(path), std::string("\x50\0\0\0\0\0\0\0", 8) + json +
                                 std::string(0x50 - json.size(), ' ') +
                                 std::string("\0\0\x80\x3f\0\0\0\x40", 8));
}

TEST(Safetensors, LeavesTheOldFileWhereTheDiskIsFull) {
  const std::string path = ::testing::TempDir() + "/model.safetensors";
  const std::vector<float> values = {1, 2};
  ASSERT_TRUE(WriteSafetensors(path, {{}, {{"t", {2}, values}}}).ok());
  const std::string before = FileBytes(path);
  std::filesystem::create_symlink("/dev/full", path + ".partial");
  const absl::Status full = WriteSafetensors(path, {});
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(full.message(), HasSubstr(path));
  EXPECT_EQ(FileBytes(path), before);
  EXPECT_TRUE(WriteSafetensors(path, {}).ok()) << "the disk has room again";
  EXPECT_NE(FileBytes(path), before);
}

TEST(Safetensors, SaysWhereItCannotWrite) {
  const std::string path = ::testing::TempDir() + "/no_such_folder/model.safetensors";
  const absl::Status status = WriteSafetensors(path, {});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr(path));
}

}  // namespace
}  // namespace downpour
