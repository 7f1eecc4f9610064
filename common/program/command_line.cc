// Where on the data's way: common/program, before a run; tells settings from flags, explains both for --help.
#include "common/program/command_line.h"

#include <cstdlib>

#include "absl/container/btree_map.h"
#include "absl/flags/commandlineflag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"
#include "common/program/update_rules.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

// The "group.field" of --group.field=value, or "" if the argument is not a setting.
std::string SettingPath(absl::string_view argument) {
  if (!absl::ConsumePrefix(&argument, "--")) return "";
  const absl::string_view path = argument.substr(0, argument.find('='));
  if (path.size() == argument.size()) return "";
  const std::string group(path.substr(0, path.find('.')));
  return RunDescription::descriptor()->FindFieldByName(group) == nullptr ? "" : std::string(path);
}

// Abseil's parser ends the process with 1 at a wrong flag, not kExitUsage, so flags are checked before it.
absl::Status CheckFlag(absl::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-' || argument == "--") return absl::OkStatus();
  argument.remove_prefix(absl::StartsWith(argument, "--") ? 2 : 1);
  const absl::string_view name = argument.substr(0, argument.find('='));
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
  if (flag == nullptr && absl::StartsWith(name, "no")) flag = absl::FindCommandLineFlag(name.substr(2));
  if (flag == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("unknown flag --", name, "; see --help"));
  std::string error;
  if (name.size() < argument.size() && !flag->ParseFrom(argument.substr(name.size() + 1), &error)) {
    return absl::InvalidArgumentError(absl::StrCat("--", argument, ": ", error));
  }
  return absl::OkStatus();
}

// Takes the place of Abseil's --help, which ends the process with 1 and lists every library's flags.
[[noreturn]] void PrintHelp(absl::string_view usage, bool takes_settings) {
  absl::PrintF("%s\n\nFlags:\n", usage);
  absl::btree_map<absl::string_view, absl::CommandLineFlag*> flags;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    for (const char* file : {"_main.cc", "/cluster_flags.cc", "/metrics_endpoint.cc", "/tls_flags.cc"})
      if (absl::EndsWith(flag->Filename(), file)) flags[name] = flag;
  }
  for (const auto& [name, flag] : flags) {
    absl::PrintF("  --%s (default: \"%s\")\n      %s\n", name, flag->DefaultValue(), flag->Help());
  }
  if (takes_settings) {
    absl::PrintF(
        "\nSettings of the run description (proto/config.proto says more):\n%s"
        "\nUpdate rules, with their equations in Zeiler 2012 and the defaults of their hyperparameters.\n"
        "--optimizer=KIND chooses one, --optimizer=KIND:VALUE sets its first hyperparameter too:\n%s",
        DescribeFields(), DescribeUpdateRules());
  }
  std::exit(0);
}

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(int argc, char** argv, absl::string_view usage,
                                             bool takes_settings) {
  CommandLine command_line;
  absl::btree_map<std::string, std::string> values;  // of settings and flags
  std::vector<char*> rest = {argv[0]};
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") PrintHelp(usage, takes_settings);
    const std::string path = takes_settings ? SettingPath(argument) : "";
    if (path.empty()) {
      RETURN_IF_ERROR(CheckFlag(argument));
      rest.push_back(argv[i]);
    }
    const std::pair<std::string, std::string> assignment = absl::StrSplit(argument, absl::MaxSplits('=', 1));
    if (!absl::StartsWith(argument, "--") || !absl::StrContains(argument, '=')) continue;
    const auto [known, inserted] = values.insert(assignment);
    if (known->second != assignment.second) {
      return absl::InvalidArgumentError(
          absl::StrCat(known->first, "=", known->second, " and ", argument, " conflict, want one of them"));
    }
    if (inserted && !path.empty()) command_line.settings.emplace_back(path, assignment.second);
  }
  const std::vector<char*> positional = absl::ParseCommandLine(static_cast<int>(rest.size()), rest.data());
  command_line.positional.assign(positional.begin() + 1, positional.end());
  return command_line;
}

absl::Status ApplyCommandLine(const CommandLine& command_line, RunDescription* description) {
  if (command_line.positional.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected argument '", command_line.positional[1],
                                                   "', want at most one run description file"));
  }
  if (!command_line.positional.empty()) {
    ASSIGN_OR_RETURN(*description, ReadRunDescription(command_line.positional[0]));
  }
  for (const auto& [path, value] : command_line.settings) RETURN_IF_ERROR(SetField(path, value, description));
  return absl::OkStatus();
}

absl::StatusOr<RunDescription> RunDescriptionFrom(const CommandLine& command_line) {
  RunDescription description;
  RETURN_IF_ERROR(ApplyCommandLine(command_line, &description));
  RETURN_IF_ERROR(ValidateRunDescription(description));
  return description;
}

}  // namespace downpour
