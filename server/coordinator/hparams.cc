// Where on the data's way: from the coordinator to the run folder; reads the run description field by field.
#include "server/coordinator/hparams.h"

#include <google/protobuf/descriptor.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/wire/serialize.h"

namespace downpour {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Value;
using tensorboard::HParamInfo;

// By the field's name as a flag. Ordered, so that the columns are in the same order for every run.
using Values = std::map<std::string, Value>;

Value Number(double number) {
  Value value;
  value.set_number_value(number);
  return value;
}
Value Text(std::string text) {
  Value value;
  value.set_string_value(std::move(text));
  return value;
}

Value ValueOf(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  if (field->is_repeated()) {  // widths of layers
    std::string text;
    for (int i = 0;
         field->cpp_type() == FieldDescriptor::CPPTYPE_INT32 && i < reflection.FieldSize(message, field); ++i)
      absl::StrAppend(&text, i == 0 ? "" : "-", reflection.GetRepeatedInt32(message, field, i));
    return Text(text);
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Number(reflection.GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return Number(static_cast<double>(reflection.GetInt64(message, field)));
    case FieldDescriptor::CPPTYPE_UINT32:
      return Number(reflection.GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return Number(static_cast<double>(reflection.GetUInt64(message, field)));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Number(reflection.GetFloat(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Number(reflection.GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_BOOL: {
      Value value;
      value.set_bool_value(reflection.GetBool(message, field));
      return value;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return Text(reflection.GetEnum(message, field)->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return Text(reflection.GetString(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return Value();  // not reached: messages are groups
}

void AddGroup(const Message& group, const std::string& prefix, bool only_set, Values* values) {
  for (int i = 0; i < group.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = group.GetDescriptor()->field(i);
    const std::string name = absl::StrCat(prefix, field->name());
    const Reflection& reflection = *group.GetReflection();
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (is_message && field->is_repeated()) continue;
    const bool is_set = field->is_repeated() || reflection.HasField(group, field);
    if (is_message && is_set) {
      AddGroup(reflection.GetMessage(group, field), absl::StrCat(name, "."), /*only_set=*/true, values);
    } else if (!is_message && (is_set || !only_set)) {
      (*values)[name] = ValueOf(group, field);
    }
  }
}

HParamInfo::DataType TypeOf(const Value& value) {
  switch (value.kind_case()) {
    case Value::kBoolValue:
      return HParamInfo::BOOL;
    case Value::kStringValue:
      return HParamInfo::STRING;
    default:
      return HParamInfo::FLOAT64;
  }
}

void AddRecord(const char* tag, const tensorboard::HParamsPluginData& data, tensorboard::Event* event) {
  tensorboard::Summary::Value* value = event->mutable_summary()->add_value();
  value->set_tag(tag);
  auto* plugin = value->mutable_metadata()->mutable_plugin_data();
  plugin->set_plugin_name("hparams");
  plugin->set_content(SerializeSmall(data));
}

}  // namespace

tensorboard::Event HParamsStart(const RunDescription& description, absl::Time now) {
  Values values;
  values["seed"] = Number(static_cast<double>(description.seed()));
  AddGroup(description.network(), "network.", /*only_set=*/false, &values);
  AddGroup(description.optimizer(), "optimizer.", /*only_set=*/false, &values);
  AddGroup(description.cluster(), "cluster.", /*only_set=*/false, &values);
  AddGroup(description.budget(), "budget.", /*only_set=*/false, &values);
  AddGroup(description.noise(), "noise.", /*only_set=*/false, &values);

  tensorboard::HParamsPluginData experiment, start;
  for (const auto& [name, value] : values) {
    HParamInfo* info = experiment.mutable_experiment()->add_hparam_infos();
    info->set_name(name);
    info->set_type(TypeOf(value));
    (*start.mutable_session_start_info()->mutable_hparams())[name] = value;
  }
  for (const char* tag : {"test/frame_accuracy", "test/loss", "test_human/frame_accuracy", "train/loss",
                          "cluster/staleness_mean"})
    experiment.mutable_experiment()->add_metric_infos()->mutable_name()->set_tag(tag);
  const double seconds = absl::ToDoubleSeconds(now - absl::UnixEpoch());
  start.mutable_session_start_info()->set_start_time_secs(seconds);

  tensorboard::Event event;
  event.set_wall_time(seconds);
  AddRecord("_hparams_/experiment", experiment, &event);
  AddRecord("_hparams_/session_start_info", start, &event);
  return event;
}

tensorboard::Event HParamsEnd(absl::Time now) {
  const double seconds = absl::ToDoubleSeconds(now - absl::UnixEpoch());
  tensorboard::HParamsPluginData end;
  end.mutable_session_end_info()->set_status(tensorboard::SessionEndInfo::SUCCESS);
  end.mutable_session_end_info()->set_end_time_secs(seconds);
  tensorboard::Event event;
  event.set_wall_time(seconds);
  AddRecord("_hparams_/session_end_info", end, &event);
  return event;
}

}  // namespace downpour
