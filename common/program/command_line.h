// Where on the data's way: common/program, before a run; a program's flags and the run's settings.
#ifndef DOWNPOUR_COMMON_PROGRAM_COMMAND_LINE_H_
#define DOWNPOUR_COMMON_PROGRAM_COMMAND_LINE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"

namespace downpour {

struct CommandLine {
  std::vector<std::string> positional;                        // without the program's name
  std::vector<std::pair<std::string, std::string>> settings;  // from --optimizer.kind=ADAGRAD and the like
};

// Parses absl flags. With `takes_settings` it first takes out the settings: every --field=value or
// --group.field=value whose first name is a field of RunDescription. For --help it prints `usage`, the
// program's flags and, with `takes_settings`, the settings and update rules, and ends with 0.
// INVALID_ARGUMENT: an unknown flag, a value it cannot take, or different values for one flag or setting.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv, absl::string_view usage,
                                             bool takes_settings);

// Replaces `description` by the file positional[0], if there is one, then sets the settings in order.
// INVALID_ARGUMENT: more than one file, or as SetField. Others as ReadRunDescription.
absl::Status ApplyCommandLine(const CommandLine& command_line, RunDescription* description);
// The same for the defaults, then validated. INVALID_ARGUMENT also as ValidateRunDescription.
absl::StatusOr<RunDescription> RunDescriptionFrom(const CommandLine& command_line);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_COMMAND_LINE_H_
