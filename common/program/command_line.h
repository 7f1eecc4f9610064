// Where on the data's way: before it; a program's arguments: absl flags, and any run description field as a
// flag.
#ifndef DOWNPOUR_COMMON_PROGRAM_COMMAND_LINE_H_
#define DOWNPOUR_COMMON_PROGRAM_COMMAND_LINE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/config.pb.h"

namespace downpour {

struct CommandLine {
  std::vector<std::string> positional;                        // without the program's name
  std::vector<std::pair<std::string, std::string>> settings;  // from --optimizer.kind=ADAGRAD and the like
};

// Parses absl flags, and takes out first every --field=value or --group.field=value whose first name is a
// field of RunDescription. Prints --help (with DescribeFields() if `takes_settings`) and exits.
// INVALID_ARGUMENT: an unknown flag, a value it cannot take, or a setting given twice with different values;
// main exits with kExitUsage then.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv, absl::string_view usage,
                                             bool takes_settings);

// positional[0], if any, is the run description file; then the settings in order, then validation.
// INVALID_ARGUMENT: more than one file, an unknown setting, a value it cannot take, or as
// ValidateRunDescription. Others as ReadRunDescription.
absl::StatusOr<RunDescription> RunDescriptionFrom(const CommandLine& command_line);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_COMMAND_LINE_H_
