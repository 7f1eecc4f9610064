// Where on the data's way: guards the tree itself: which folder may include which, where gRPC may appear,
// what the top folder lists, how a file begins, and how long it may be.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

constexpr size_t kMostLines = 400;

struct SourceFile {
  std::string path;  // from the top folder, e.g. "server/shard/parameter_shard.h"
  std::string room;  // its first folder
  std::vector<std::string> lines;

  std::vector<std::string> Includes() const { return Matches("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]"); }
  std::vector<std::string> QuotedIncludes() const { return Matches("^\\s*#\\s*include\\s*\"([^\"]+)\""); }

 private:
  // What the pattern's first group matches, for each line in which it is found.
  std::vector<std::string> Matches(const char* pattern) const {
    const std::regex wanted(pattern);
    std::vector<std::string> found;
    std::smatch match;
    for (const std::string& line : lines) {
      if (std::regex_search(line, match, wanted)) found.push_back(match[1]);
    }
    return found;
  }
};

// What the files of each folder may include: headers under these folders. For a file the rule of the deepest
// of these folders that contains it holds. proto <- common <- {server, worker} <- {deploy, tests}, and
// likewise inside these rooms.
const std::map<std::string, std::set<std::string>>& MayInclude() {
  static const std::map<std::string, std::set<std::string>> rules = {
      {"common", {"proto", "common"}},
      {"server", {"proto", "common", "server"}},
      {"server/storage", {"proto", "common", "server/storage"}},
      {"server/optimizer", {"proto/config.pb.h", "common", "server/optimizer"}},
      {"server/shard", {"proto", "common", "server/storage", "server/optimizer", "server/shard"}},
      {"server/coordinator", {"proto", "common", "server/storage", "server/coordinator"}},
      {"server/service",
       {"proto", "common", "server/optimizer", "server/shard", "server/coordinator", "server/service"}},
      {"worker", {"proto", "common", "worker"}},
      {"worker/data", {"proto", "common", "worker/data"}},
      {"worker/network", {"proto", "common", "worker/data", "worker/network"}},
      {"worker/replica", {"proto", "common", "worker/data", "worker/network", "worker/replica"}},
      {"worker/evaluator",
       {"proto", "common", "worker/data", "worker/network", "worker/replica", "worker/evaluator"}},
      {"worker/transport", {"proto", "common", "worker/replica", "worker/transport"}},
      {"deploy", {"proto", "common", "server", "worker", "deploy"}},
      {"deploy/corpus", {"proto", "common", "worker/data", "deploy/corpus"}},
      {"deploy/dashboard", {"proto", "common", "deploy/report", "deploy/dashboard"}},
      {"deploy/export",
       {"proto", "common", "server/storage", "server/shard", "server/coordinator", "deploy/export"}},
      {"deploy/grid", {"proto", "common", "server/storage", "deploy/report", "deploy/grid"}},
      {"deploy/plan", {"proto", "common", "server/shard", "worker/replica", "deploy/plan"}},
      {"deploy/report", {"proto", "common", "deploy/report"}},
      {"tests", {"proto", "common", "server", "worker", "deploy", "tests"}},
  };
  return rules;
}

bool LiesIn(absl::string_view path, absl::string_view folder) {
  return path == folder || absl::StartsWith(path, absl::StrCat(folder, "/"));
}

std::string RoomOf(const std::string& path) { return path.substr(0, path.find('/')); }
std::string FolderOf(const std::string& path) { return fs::path(path).parent_path().string(); }

// What is wrong with an include; "" if nothing is.
std::string IncludeFault(const SourceFile& file, const std::string& included) {
  if (!MayInclude().contains(RoomOf(included)) && RoomOf(included) != "proto") return "";  // of a library
  std::string folder = FolderOf(file.path);
  while (!MayInclude().contains(folder)) folder = FolderOf(folder);
  for (const std::string& allowed : MayInclude().at(folder)) {
    if (LiesIn(included, allowed)) return "";
  }
  return absl::StrCat(file.path, " includes ", included, ", want only what lies in ",
                      absl::StrJoin(MayInclude().at(folder), ", "));
}

// What is wrong with an include in quotes; "" if nothing is. It must name its file from the top folder, or
// from the library's name, so that the rules above see it.
std::string QuotedIncludeFault(const SourceFile& file, const std::string& included) {
  static const std::set<std::string> libraries = {"absl", "gmock", "google", "gtest", "spdlog"};
  const std::string room = RoomOf(included);
  if (room == "proto" || MayInclude().contains(room) || libraries.contains(room)) return "";
  return absl::StrCat(file.path, " includes \"", included, "\", which begins with no room");
}

bool IsGrpcHeader(const std::string& included) {
  return absl::StartsWith(included, "grpc") || absl::StrContains(included, ".grpc.pb.h") ||
         LiesIn(included, "common/rpc");
}

// gRPC headers may be included only under these folders, by the programs directly in server/ and worker/, and
// by the live page's.
bool MaySeeGrpc(const SourceFile& file) {
  for (const char* folder : {"common/rpc", "server/service", "worker/transport", "tests"}) {
    if (LiesIn(file.path, folder)) return true;
  }
  return FolderOf(file.path) == "server" || FolderOf(file.path) == "worker" ||
         file.path == "deploy/dashboard/dashboard_main.cc";
}

std::vector<SourceFile> SourceFiles() {
  std::vector<SourceFile> files;
  for (const char* room : {"proto", "common", "server", "worker", "deploy", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(DOWNPOUR_SOURCE_DIR) / room)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc" && extension != ".proto"))
        continue;
      SourceFile file;
      file.path = entry.path().lexically_relative(DOWNPOUR_SOURCE_DIR).string();
      file.room = room;
      std::ifstream stream(entry.path());
      for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  return files;
}

TEST(Architecture, RoomsIncludeOnlyWhatLiesBeforeThem) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    if (file.room == "proto") continue;
    for (const std::string& included : file.Includes()) {
      if (std::string fault = IncludeFault(file, included); !fault.empty()) faults.push_back(fault);
    }
    for (const std::string& included : file.QuotedIncludes()) {
      if (std::string fault = QuotedIncludeFault(file, included); !fault.empty()) faults.push_back(fault);
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, ProtoImportsOnlyProtoAndProtobufsOwn) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& line : file.lines) {
      if (file.room == "proto" && absl::StartsWith(line, "import ") && !absl::StrContains(line, "\"proto/") &&
          !absl::StrContains(line, "\"google/protobuf/")) {
        faults.push_back(absl::StrCat(file.path, ": ", line));
      }
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, GrpcAppearsOnlyUnderItsFoldersAndInPrograms) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& included : file.Includes()) {
      if (IsGrpcHeader(included) && !MaySeeGrpc(file))
        faults.push_back(absl::StrCat(file.path, " includes ", included));
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

// Whether the line tells the time of day, or waits by it as Abseil's timed waits do.
bool GoesByTheTimeOfDay(const std::string& line) {
  static const std::regex forbidden(
      "absl::Now\\(|GetCurrentTimeNanos|system_clock|CLOCK_REALTIME|gettimeofday|[^_]time\\(nullptr|"
      "(Await|Wait|WaitForNotification|Lock\\w*)With(Timeout|Deadline)\\(|WallNow\\(");
  return std::regex_search(line, forbidden);
}

TEST(Architecture, OnlyTimeStampsGoByTheTimeOfDay) {
  const std::set<std::string> may = {"common/clock.h",                     // offers it
                                     "common/tls/tls_flags.cc",            // whether a certificate is valid
                                     "server/coordinator/coordinator.cc",  // incarnations
                                     "server/coordinator/coordinator_metrics.cc",
                                     "server/coordinator/run_folder.cc",    // the run's name
                                     "server/coordinator/run_log.cc",       // the event file's name
                                     "server/coordinator/run_progress.cc",  // unix_time_s
                                     "server/storage/periodic_writer.cc",
                                     "deploy/in_process/virtual_time.h",  // has none
                                     "tests/testing/fake_clock.h",
                                     "tests/testing/processes.h",
                                     "tests/testing/simulated_threads.h",
                                     "tests/testing/wall_clock_jump.cc",
                                     "tests/integration/architecture_test.cc"};
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& line : file.lines) {
      if (GoesByTheTimeOfDay(line) && !may.contains(file.path))
        faults.push_back(absl::StrCat(file.path, ": ", line));
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, EveryFileSaysFirstWhereOnTheDatasWayItStands) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    const std::string wanted = file.room == "proto" ? "// " : "// Where on the data's way: ";
    if (file.lines.empty() || !absl::StartsWith(file.lines[0], wanted)) faults.push_back(file.path);
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, NoFileIsTooLongToRead) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    if (file.lines.size() > kMostLines)
      faults.push_back(absl::StrCat(file.path, ": ", file.lines.size(), " lines"));
  }
  EXPECT_THAT(faults, IsEmpty());
}

// It gives "" where it fails: for a message of over 2 GiB.
TEST(Architecture, NoMessageIsSerialisedByACallThatCannotFail) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& line : file.lines) {
      if (file.room != "tests" && absl::StrContains(line, "SerializeAsString"))
        faults.push_back(absl::StrCat(file.path, ": ", line));
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, HeadersAreGuardedByTheirPath) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    if (!absl::EndsWith(file.path, ".h")) continue;
    std::string guard = absl::StrCat("DOWNPOUR_", file.path, "_");
    for (char& c : guard) c = c == '/' || c == '.' ? '_' : static_cast<char>(std::toupper(c));
    if (std::find(file.lines.begin(), file.lines.end(), absl::StrCat("#ifndef ", guard)) ==
        file.lines.end()) {
      faults.push_back(absl::StrCat(file.path, " wants the guard ", guard));
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, TopFolderListsTheDatasWay) {
  std::set<std::string> folders;
  for (const auto& entry : fs::directory_iterator(DOWNPOUR_SOURCE_DIR)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && name[0] != '.' && !absl::StartsWith(name, "build")) folders.insert(name);
  }
  EXPECT_THAT(folders, IsSupersetOf({"proto", "common", "server", "worker", "deploy", "tests"}));
  // Builds and runs make what .gitignore names.
  for (const char* room : {"proto", "common", "server", "worker", "deploy", "tests", "runs", "corpus"}) {
    folders.erase(room);
  }
  EXPECT_THAT(folders, IsEmpty());
}

// Tries the rules themselves on files that break them.
TEST(Architecture, RulesCatchWhatTheyForbid) {
  EXPECT_NE(IncludeFault({"server/a.cc", "server", {}}, "worker/data/minibatch.h"), "");
  EXPECT_NE(IncludeFault({"worker/a.cc", "worker", {}}, "server/shard/parameter_shard.h"), "");
  EXPECT_NE(IncludeFault({"common/wire/a.cc", "common", {}}, "deploy/export/export.h"), "");
  EXPECT_NE(IncludeFault({"server/optimizer/a.cc", "server", {}}, "proto/coordinator.pb.h"), "");
  EXPECT_NE(IncludeFault({"server/optimizer/a.cc", "server", {}}, "server/shard/parameter_shard.h"), "");
  EXPECT_EQ(IncludeFault({"server/optimizer/a.cc", "server", {}}, "proto/config.pb.h"), "");
  EXPECT_EQ(IncludeFault({"server/optimizer/a.cc", "server", {}}, "common/check.h"), "");
  EXPECT_NE(IncludeFault({"server/shard/a.cc", "server", {}}, "server/coordinator/membership.h"), "");
  EXPECT_NE(IncludeFault({"worker/data/deeper/a.cc", "worker", {}}, "worker/network/network.h"), "");
  EXPECT_NE(IncludeFault({"deploy/report/a.cc", "deploy", {}}, "server/coordinator/coordinator.h"), "");
  EXPECT_EQ(IncludeFault({"deploy/in_process/a.cc", "deploy", {}}, "worker/data/minibatch.h"), "");
  EXPECT_NE(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "minibatch.h"), "");
  EXPECT_NE(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "../server/parameter_shard.h"), "");
  EXPECT_EQ(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "absl/status/status.h"), "");
  EXPECT_EQ(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "worker/data/minibatch.h"), "");
  EXPECT_TRUE(IsGrpcHeader("grpcpp/grpcpp.h"));
  EXPECT_TRUE(IsGrpcHeader("proto/coordinator.grpc.pb.h"));
  EXPECT_TRUE(IsGrpcHeader("common/rpc/channel.h"));
  EXPECT_FALSE(MaySeeGrpc({"server/shard/parameter_shard.cc", "server", {}}));
  EXPECT_FALSE(MaySeeGrpc({"deploy/in_process/train_main.cc", "deploy", {}}));
  EXPECT_TRUE(MaySeeGrpc({"server/service/parameter_service.cc", "server", {}}));
  EXPECT_TRUE(MaySeeGrpc({"worker/worker_main.cc", "worker", {}}));
  EXPECT_TRUE(GoesByTheTimeOfDay("const absl::Time now = absl::Now();"));
  EXPECT_TRUE(GoesByTheTimeOfDay("mutex_.AwaitWithTimeout(absl::Condition(&stop_), interval_);"));
  EXPECT_FALSE(GoesByTheTimeOfDay("const absl::Time now = clock->Now();"));
  const SourceFile file{
      "a.cc", "common", {"#include <vector>", "  # include \"common/check.h\"", "// #include <x>"}};
  EXPECT_EQ(file.Includes(), (std::vector<std::string>{"vector", "common/check.h"}));
  EXPECT_EQ(file.QuotedIncludes(), std::vector<std::string>{"common/check.h"});
}

}  // namespace
}  // namespace downpour
