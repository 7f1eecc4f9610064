// Where on the data's way: common/program, before a run; the run description, from its file and settings.
#ifndef DOWNPOUR_COMMON_PROGRAM_RUN_DESCRIPTION_H_
#define DOWNPOUR_COMMON_PROGRAM_RUN_DESCRIPTION_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"

namespace downpour {

// Adds to `message` what the textproto `text` sets. `name` stands for the file. INVALID_ARGUMENT,
// "name:line:column: what": the text is not of that format.
absl::Status MergeTextproto(absl::string_view text, absl::string_view name,
                            google::protobuf::Message* message);
// The same for a run description.
absl::StatusOr<RunDescription> ParseRunDescription(absl::string_view text, absl::string_view name);
// The same from a file. Other statuses as ReadFile (common/file/file.h).
absl::StatusOr<RunDescription> ReadRunDescription(const std::string& path);

// Sets one field by its path, e.g. ("optimizer.kind", "ADAGRAD") or ("network.hidden_width", "[512, 512]");
// with ("optimizer", "KIND") or ("optimizer", "KIND:VALUE") the update rule, and the hyperparameter that
// PrincipalHyperparameter names. INVALID_ARGUMENT: no such field (the message lists all) or value.
absl::Status SetField(absl::string_view path, absl::string_view value, RunDescription* description);

// Every field with its type and default, one a line, for --help.
std::string DescribeFields();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_RUN_DESCRIPTION_H_
