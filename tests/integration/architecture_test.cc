// Where on the data's way: beside it; holds the rules of the tree: who may include whom, where gRPC may
// appear, what the top folder lists, how a file begins, and how long it may be.
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
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

constexpr size_t kMostLines = 400;

struct SourceFile {
  std::string path;  // from the top folder, e.g. "server/parameter_shard.h"
  std::string room;  // its first folder
  std::vector<std::string> lines;

  std::string name() const { return fs::path(path).filename().string(); }
  std::vector<std::string> Includes() const { return Matches("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]"); }
  std::vector<std::string> QuotedIncludes() const { return Matches("^\\s*#\\s*include\\s*\"([^\"]+)\""); }

 private:
  // What the pattern's first group matches, of each line that has it.
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

// Which rooms each room may include: proto <- common <- {server, worker} <- {deploy, tests}.
const std::map<std::string, std::set<std::string>>& Allowed() {
  static const std::map<std::string, std::set<std::string>> allowed = {
      {"common", {"proto", "common"}},
      {"server", {"proto", "common", "server"}},
      {"worker", {"proto", "common", "worker"}},
      {"deploy", {"proto", "common", "server", "worker", "deploy"}},
      {"tests", {"proto", "common", "server", "worker", "deploy", "tests"}},
  };
  return allowed;
}

// What follows the first slash decides nothing here: only the first folder does.
std::string RoomOf(const std::string& path) { return path.substr(0, path.find('/')); }

// The fault of an include, or "".
std::string IncludeFault(const SourceFile& file, const std::string& included) {
  const std::string room = RoomOf(included);
  if (!Allowed().contains(room) && room != "proto") return "";  // the system's or a library's
  if (!Allowed().at(file.room).contains(room)) return absl::StrCat(file.path, " includes ", included);
  if (absl::StartsWith(file.path, "server/optimizer/") && room != "common" &&
      included != "proto/config.pb.h" && !absl::StartsWith(included, "server/optimizer/")) {
    return absl::StrCat(file.path, " includes ", included,
                        ", and optimizers see only Abseil, common/ and the run description");
  }
  return "";
}

// Of an include in quotes: it names its file from the top folder, or a library's, so that the rules above see
// it.
std::string QuotedIncludeFault(const SourceFile& file, const std::string& included) {
  static const std::set<std::string> libraries = {"absl", "gmock", "google", "gtest", "spdlog"};
  const std::string room = RoomOf(included);
  if (room == "proto" || Allowed().contains(room) || libraries.contains(room)) return "";
  return absl::StrCat(file.path, " includes \"", included, "\", which begins with no room");
}

bool IsGrpcHeader(const std::string& included) {
  return absl::StartsWith(included, "grpc") || absl::StrContains(included, ".grpc.pb.h") ||
         absl::StartsWith(included, "common/grpc_");
}

// Services, clients and their tests, and the programs that start them.
bool MaySeeGrpc(const SourceFile& file) {
  static const std::regex allowed("grpc_.*|.*_service\\.(h|cc)|.*_main\\.cc");
  return file.room == "tests" || std::regex_match(file.name(), allowed);
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

TEST(Architecture, ProtoImportsOnlyProto) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& line : file.lines) {
      if (file.room == "proto" && absl::StartsWith(line, "import ") && !absl::StrContains(line, "\"proto/")) {
        faults.push_back(absl::StrCat(file.path, ": ", line));
      }
    }
  }
  EXPECT_THAT(faults, IsEmpty());
}

TEST(Architecture, GrpcAppearsOnlyInServicesClientsAndMains) {
  std::vector<std::string> faults;
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& included : file.Includes()) {
      if (IsGrpcHeader(included) && !MaySeeGrpc(file))
        faults.push_back(absl::StrCat(file.path, " includes ", included));
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
  // What .gitignore names is made by builds and runs.
  for (const char* room : {"proto", "common", "server", "worker", "deploy", "tests", "runs", "corpus"}) {
    folders.erase(room);
  }
  EXPECT_THAT(folders, IsEmpty());
}

// The rules themselves, on files that break them.
TEST(Architecture, RulesCatchWhatTheyForbid) {
  EXPECT_NE(IncludeFault({"server/a.cc", "server", {}}, "worker/minibatch.h"), "");
  EXPECT_NE(IncludeFault({"worker/a.cc", "worker", {}}, "server/parameter_shard.h"), "");
  EXPECT_NE(IncludeFault({"common/a.cc", "common", {}}, "deploy/export.h"), "");
  EXPECT_NE(IncludeFault({"server/optimizer/a.cc", "server", {}}, "proto/coordinator.pb.h"), "");
  EXPECT_NE(IncludeFault({"server/optimizer/a.cc", "server", {}}, "server/parameter_shard.h"), "");
  EXPECT_EQ(IncludeFault({"server/optimizer/a.cc", "server", {}}, "common/check.h"), "");
  EXPECT_EQ(IncludeFault({"deploy/a.cc", "deploy", {}}, "worker/minibatch.h"), "");
  EXPECT_NE(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "minibatch.h"), "");
  EXPECT_NE(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "../server/parameter_shard.h"), "");
  EXPECT_EQ(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "absl/status/status.h"), "");
  EXPECT_EQ(QuotedIncludeFault({"worker/a.cc", "worker", {}}, "worker/minibatch.h"), "");
  EXPECT_TRUE(IsGrpcHeader("grpcpp/grpcpp.h"));
  EXPECT_TRUE(IsGrpcHeader("proto/coordinator.grpc.pb.h"));
  EXPECT_FALSE(MaySeeGrpc({"server/parameter_shard.cc", "server", {}}));
  EXPECT_TRUE(MaySeeGrpc({"server/parameter_service.cc", "server", {}}));
  const SourceFile file{
      "a.cc", "common", {"#include <vector>", "  # include \"common/check.h\"", "// #include <x>"}};
  EXPECT_EQ(file.Includes(), (std::vector<std::string>{"vector", "common/check.h"}));
  EXPECT_EQ(file.QuotedIncludes(), std::vector<std::string>{"common/check.h"});
}

}  // namespace
}  // namespace downpour
