// Where on the data's way: from the coordinator to the run folder; records for TensorBoard's HParams table.
#include "server/coordinator/hparams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace downpour {
namespace {

tensorboard::HParamsPluginData DataOf(const tensorboard::Event& event, int value) {
  const auto& plugin = event.summary().value(value).metadata().plugin_data();
  EXPECT_EQ(plugin.plugin_name(), "hparams");
  tensorboard::HParamsPluginData data;
  EXPECT_TRUE(data.ParseFromString(plugin.content()));
  return data;
}

TEST(HParams, TheSessionHasEveryHyperparameterByItsFlag) {
  RunDescription description;
  description.set_seed(7);
  description.mutable_optimizer()->set_kind(OptimizerDescription::ADAGRAD);
  description.mutable_network()->add_hidden_width(512);
  description.mutable_network()->add_hidden_width(256);
  const tensorboard::Event event = HParamsStart(description, absl::FromUnixSeconds(1234));
  ASSERT_EQ(event.summary().value_size(), 2);
  EXPECT_EQ(event.step(), 0);
  EXPECT_EQ(event.summary().value(0).tag(), "_hparams_/experiment");
  EXPECT_EQ(event.summary().value(1).tag(), "_hparams_/session_start_info");
  const auto start = DataOf(event, 1).session_start_info();
  EXPECT_EQ(start.start_time_secs(), 1234);
  EXPECT_EQ(start.hparams().at("seed").number_value(), 7);
  EXPECT_EQ(start.hparams().at("optimizer.kind").string_value(), "ADAGRAD");
  EXPECT_EQ(start.hparams().at("network.hidden_width").string_value(), "512-256");
  EXPECT_FLOAT_EQ(start.hparams().at("optimizer.rho").number_value(), 0.95f) << "a default";
  EXPECT_TRUE(start.hparams().contains("noise.gradient_sigma"));
  EXPECT_FALSE(start.hparams().contains("data.train_dir"));
}

TEST(HParams, TheExperimentHasAColumnForEachOfTheSessionsValues) {
  const tensorboard::Event event = HParamsStart(RunDescription(), absl::UnixEpoch());
  const auto experiment = DataOf(event, 0).experiment();
  const auto start = DataOf(event, 1).session_start_info();
  EXPECT_EQ(experiment.hparam_infos_size(), start.hparams().size());
  for (const auto& info : experiment.hparam_infos()) {
    ASSERT_TRUE(start.hparams().contains(info.name()));
    const bool is_text = start.hparams().at(info.name()).kind_case() == google::protobuf::Value::kStringValue;
    EXPECT_EQ(info.type() == tensorboard::HParamInfo::STRING, is_text) << info.name();
  }
  EXPECT_EQ(experiment.metric_infos(0).name().tag(), "test/frame_accuracy");
}

// As TensorBoard's own code writes the record: the bytes by hand, from plugin_data.proto's field numbers.
TEST(HParams, TheEndIsThatOfASuccess) {
  const tensorboard::Event event = HParamsEnd(absl::FromUnixSeconds(1));
  EXPECT_EQ(event.summary().value(0).tag(), "_hparams_/session_end_info");
  EXPECT_EQ(event.summary().value(0).metadata().plugin_data().content(),
            std::string("\x22\x0b\x08\x01\x11\0\0\0\0\0\0\xf0\x3f", 13));
}

}  // namespace
}  // namespace downpour
