// Where on the data's way: common/program, around every program; which arguments a program takes, and how
// it ends.
#include "common/program/run_program.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

// Fails with the settings and paths that it got, or succeeds without any.
absl::Status Echo(const CommandLine& command_line) {
  std::string message;
  for (const std::string& path : command_line.positional) absl::StrAppend(&message, path, " ");
  for (const auto& [path, value] : command_line.settings) absl::StrAppend(&message, path, "=", value, " ");
  return message.empty() ? absl::OkStatus() : absl::InternalError(message);
}

absl::Status Stop(const CommandLine& /*command_line*/) { return absl::CancelledError("stopped"); }

struct Outcome {
  int code;
  std::string error;
};

Outcome Call(std::vector<std::string> arguments, const Program& program) {
  arguments.insert(arguments.begin(), program.name);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  ::testing::internal::CaptureStderr();
  const int code = RunProgram(static_cast<int>(argv.size()), argv.data(), program);
  return {code, ::testing::internal::GetCapturedStderr()};
}

TEST(RunProgram, GivesTheExitCodeOfWhatItRuns) {
  EXPECT_EQ(Call({}, {"program", "usage", Echo}).code, 0);
  const Outcome stopped = Call({}, {"program", "usage", Stop});
  EXPECT_EQ(stopped.code, kExitInterrupted);
  EXPECT_EQ(stopped.error, "program: stopped\n");
}

TEST(RunProgram, PassesOnWhatTheProgramTakes) {
  const Outcome described = Call({"a", "--seed=7"}, {"program", "usage", Echo});
  EXPECT_EQ(described.code, kExitFailed);
  EXPECT_EQ(described.error, "program: a seed=7 \n");
  EXPECT_EQ(Call({"a", "b"}, {"program", "usage", Echo, Program::kPaths}).error, "program: a b \n");
}

TEST(RunProgram, RefusesWhatTheProgramDoesNotTake) {
  const Outcome refused = Call({"a"}, {"program", "usage", Echo, Program::kNothing});
  EXPECT_EQ(refused.code, kExitUsage);
  EXPECT_EQ(refused.error, "program: unexpected argument 'a', want flags only; see --help\n");
  for (const auto arguments : {Program::kNothing, Program::kPaths})
    EXPECT_EQ(Call({"--seed=7"}, {"program", "usage", Echo, arguments}).code, kExitUsage);
}

}  // namespace
}  // namespace downpour
