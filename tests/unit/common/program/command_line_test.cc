// Where on the data's way: common/program, before a run; settings and flags of a command line.
#include "common/program/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"

ABSL_FLAG(int, answer, 0, "a flag for this test");

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

absl::StatusOr<CommandLine> Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return ParseCommandLine(static_cast<int>(argv.size()), argv.data(), "usage", /*takes_settings=*/true);
}

TEST(ParseCommandLine, SeparatesSettingsFromPositionals) {
  const auto command_line =
      Parse({"run.textproto", "--optimizer.kind=SGD", "--seed=7", "--data.train_dir=a=b"});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  EXPECT_THAT(command_line->positional, ElementsAre("run.textproto"));
  EXPECT_THAT(command_line->settings,
              ElementsAre(Pair("optimizer.kind", "SGD"), Pair("seed", "7"), Pair("data.train_dir", "a=b")));
}

TEST(ParseCommandLine, RefusesConflictingSettings) {
  const auto command_line = Parse({"--seed=7", "--seed=8"});
  EXPECT_EQ(command_line.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(command_line.status().message()),
              AllOf(HasSubstr("--seed=7"), HasSubstr("--seed=8")));
  EXPECT_TRUE(Parse({"--seed=7", "--seed=7"}).ok());
}

TEST(ParseCommandLine, RefusesConflictingFlags) {
  const auto command_line = Parse({"--answer=41", "--answer=42"});
  EXPECT_EQ(command_line.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(command_line.status().message()),
              AllOf(HasSubstr("--answer=41"), HasSubstr("--answer=42")));
  EXPECT_TRUE(Parse({"--answer=42", "--answer=42"}).ok());
}

TEST(ParseCommandLine, HelpTellsUsageAndSettingsAndEndsWell) {
  EXPECT_EXIT(
      {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        Parse({"--help"}).IgnoreError();
      },
      ::testing::ExitedWithCode(0), AllOf(HasSubstr("usage"), HasSubstr("optimizer.kind")));
}

TEST(ParseCommandLine, RefusesUnknownFlags) {
  for (const char* argument : {"--replcias=3", "-x", "--noverbos"}) {
    const auto command_line = Parse({argument});
    EXPECT_EQ(command_line.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(command_line.status().message()), HasSubstr("unknown flag"));
  }
}

TEST(RunDescriptionFrom, SettingsOverrideTheFileAndTheWholeIsValidated) {
  const std::string path = ::testing::TempDir() + "/run.textproto";
  std::ofstream(path)
      << "data { train_dir: 't' test_dir: 'e' } budget { epochs: 1 } optimizer { kind: ADAGRAD }";
  const auto description = RunDescriptionFrom({{path}, {{"optimizer.kind", "SGD"}}});
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(description->optimizer().kind(), OptimizerDescription::SGD);
  EXPECT_EQ(RunDescriptionFrom({{path}, {{"cluster.n_push", "0"}}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RunDescriptionFrom({{path, "more"}, {}}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace downpour
