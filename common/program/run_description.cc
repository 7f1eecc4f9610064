// Where on the data's way: common/program, before a run; says where a text has an error; walks descriptors.
#include "common/program/run_description.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(absl::string_view text) : lines_(absl::StrSplit(text, '\n')) {}

  // The text format counts lines and columns from 0, the message from 1. It reports an unknown field at the
  // beginning of the token after it, so the field itself is looked for in the line.
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!message_.empty()) return;
    const std::vector<std::string> quoted = absl::StrSplit(message, '"');
    if (absl::StrContains(message, " has no field named \"") && static_cast<size_t>(line) < lines_.size()) {
      const size_t field = lines_[line].rfind(quoted[quoted.size() - 2], column);
      if (field != absl::string_view::npos) column = static_cast<int>(field);
    }
    message_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  void AddWarning(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    AddError(line, column, message);
  }
  const std::string& message() const { return message_; }

 private:
  const std::vector<absl::string_view> lines_;
  std::string message_;
};

std::string FieldNames(const Descriptor& descriptor) {
  std::string names;
  for (int i = 0; i < descriptor.field_count(); ++i)
    absl::StrAppend(&names, i > 0 ? ", " : "", std::string(descriptor.field(i)->name()));
  return names;
}

// For --help. `field` is of `defaults`, a message in which no field is set.
std::string TypeAndDefault(const Message& defaults, const FieldDescriptor& field) {
  std::string type(field.cpp_type_name());
  if (field.is_repeated()) return absl::StrCat("[", type, ", ...]");
  if (field.enum_type() != nullptr) {
    type.clear();
    for (int i = 0; i < field.enum_type()->value_count(); ++i)
      absl::StrAppend(&type, i > 0 ? "|" : "", std::string(field.enum_type()->value(i)->name()));
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field.has_default_value()) return type;
  std::string value;
  TextFormat::PrintFieldValueToString(defaults, &field, -1, &value);
  // The text format writes 1e+09 as 1000000000.
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) value = absl::StrCat(field.default_value_double());
  return absl::StrCat(type, ", default ", value);
}

void AppendFields(const Message& defaults, const std::string& prefix, std::string* out) {
  for (int i = 0; i < defaults.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *defaults.GetDescriptor()->field(i);
    const std::string path = absl::StrCat(prefix, std::string(field.name()));
    if (field.message_type() != nullptr) {
      AppendFields(defaults.GetReflection()->GetMessage(defaults, &field), path + ".", out);
    } else {
      absl::StrAppend(out, "  --", path, "  (", TypeAndDefault(defaults, field), ")\n");
    }
  }
}

// KIND or KIND:VALUE.
absl::Status SetOptimizer(absl::string_view value, RunDescription* description) {
  const std::vector<std::string> parts = absl::StrSplit(value, absl::MaxSplits(':', 1));
  OptimizerDescription::Kind kind;
  if (!OptimizerDescription::Kind_Parse(parts[0], &kind)) {
    const auto append_kind = [](std::string* out, const UpdateRule& rule) {
      out->append(OptimizerDescription::Kind_Name(rule.kind));
    };
    return absl::InvalidArgumentError(absl::StrCat("--optimizer is '", value,
                                                   "', want KIND or KIND:VALUE, KIND one of ",
                                                   absl::StrJoin(kUpdateRules, ", ", append_kind)));
  }
  description->mutable_optimizer()->set_kind(kind);
  if (parts.size() == 1) return absl::OkStatus();
  return SetField(absl::StrCat("optimizer.", PrincipalHyperparameter(kind)), parts[1], description);
}

}  // namespace

absl::Status MergeTextproto(absl::string_view text, absl::string_view name, Message* message) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  FirstError error(text);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.MergeFromString(std::string(text), message)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", error.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<RunDescription> ParseRunDescription(absl::string_view text, absl::string_view name) {
  RunDescription description;
  RETURN_IF_ERROR(MergeTextproto(text, name, &description));
  return description;
}

absl::StatusOr<RunDescription> ReadRunDescription(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseRunDescription(text, path);
}

absl::Status SetField(absl::string_view path, absl::string_view value, RunDescription* description) {
  if (path == "optimizer") return SetOptimizer(value, description);
  Message* message = description;
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i < names.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    const bool last = i + 1 == names.size();
    if (field == nullptr || (field->message_type() == nullptr) != last) {
      const Descriptor& wanted =
          field == nullptr || last ? *message->GetDescriptor() : *description->GetDescriptor();
      return absl::InvalidArgumentError(
          absl::StrCat("--", path, ": '", names[i], "' is no setting, want one of ", FieldNames(wanted)));
    }
    if (!last) {
      message = message->GetReflection()->MutableMessage(message, field);
      continue;
    }
    message->GetReflection()->ClearField(message, field);
    const bool quote = field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated();
    const std::string text = quote ? absl::StrCat("\"", absl::CEscape(value), "\"") : std::string(value);
    RETURN_IF_ERROR(MergeTextproto(absl::StrCat(names[i], ": ", text), absl::StrCat("--", path), message));
    // A value such as "5 kind: SGD" would set more than its field.
    if (field->is_repeated() ? value.find(':') != absl::string_view::npos
                             : !quote && value.find_first_of(" :\n\t{") != absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--", path, " is '", value, "', want one value"));
    }
  }
  return absl::OkStatus();
}

std::string DescribeFields() {
  std::string out;
  AppendFields(RunDescription::default_instance(), "", &out);
  return out;
}

}  // namespace downpour
