// Where on the data's way: before it; what the documents promise is in the tree: the two commands come first
// in README.md, no figure is left out, every link and folder exists, and CI runs what a user runs.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string SourceText(const std::string& path) {
  std::ifstream file(fs::path(DOWNPOUR_SOURCE_DIR) / path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the pattern's first group matches, for all matches.
std::vector<std::string> Matches(const std::string& text, const std::string& pattern) {
  const std::regex wanted(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), wanted), end; match != end; ++match) {
    found.push_back((*match)[1]);
  }
  return found;
}

// The blocks of code, which are fenced or indented by four blanks; without fence and indentation.
std::vector<std::string> CodeBlocks(const std::string& markdown) {
  std::vector<std::string> blocks;
  bool fenced = false, open = false;
  for (absl::string_view line : absl::StrSplit(markdown, '\n')) {
    const bool fence = absl::StartsWith(line, "```");
    if (fence) fenced = !fenced;
    const bool code = fenced ? !fence : absl::ConsumePrefix(&line, "    ");
    if (code && !open) blocks.emplace_back();
    if (code) absl::StrAppend(&blocks.back(), blocks.back().empty() ? "" : "\n", line);
    open = code;
  }
  return blocks;
}

// The files that the document links to but that do not exist.
std::vector<std::string> BrokenLinks(const std::string& document) {
  std::vector<std::string> broken;
  for (const std::string& link : Matches(SourceText(document), R"(\]\(([^)\s#]+)[^)]*\))")) {
    if (absl::StrContains(link, "://")) continue;
    if (!fs::exists(fs::path(DOWNPOUR_SOURCE_DIR) / fs::path(document).parent_path() / link)) {
      broken.push_back(absl::StrCat(document, ": ", link));
    }
  }
  return broken;
}

TEST(Documents, ReadmeBeginsWithTheTwoCommands) {
  std::vector<std::string> blocks = CodeBlocks(SourceText("README.md"));
  ASSERT_GE(blocks.size(), 2u);
  blocks.resize(2);
  EXPECT_THAT(blocks, ElementsAre("deploy/quickstart", "deploy/test"));
}

TEST(Documents, ReadmeIsShort) {
  const std::string readme = SourceText("README.md");
  EXPECT_LE(std::count(readme.begin(), readme.end(), '\n'), 130);
}

TEST(Documents, ReadmeHasNoFigureLeftToFillIn) {
  EXPECT_THAT(Matches(SourceText("README.md"), "(@[A-Z]+@)"), IsEmpty());
  EXPECT_THAT(Matches(SourceText("deploy/RESULTS.md"), "(@[A-Z]+@)"), IsEmpty());
}

TEST(Documents, LinksLeadSomewhere) {
  for (const char* document :
       {"README.md", "deploy/README.md", "deploy/PLANNING.md", "deploy/RESULTS.md", "server/DESIGN.md",
        "server/PROMISES.md", "tests/bench/README.md", "tests/fuzz/README.md"}) {
    EXPECT_THAT(BrokenLinks(document), IsEmpty());
  }
}

// A file or folder that a document names, such as `server/shard/segment.h`, is there.
TEST(Documents, NamedPathsExist) {
  for (const char* document :
       {"README.md", "deploy/README.md", "deploy/PLANNING.md", "deploy/RESULTS.md", "server/DESIGN.md",
        "server/PROMISES.md", "tests/bench/README.md", "tests/fuzz/README.md"}) {
    for (const std::string& path :
         Matches(SourceText(document), "`((?:common|server|worker|deploy|tests|proto)/[a-z0-9_./]*)[` ]")) {
      EXPECT_TRUE(fs::exists(fs::path(DOWNPOUR_SOURCE_DIR) / path)) << document << ": " << path;
    }
  }
}

// The last column of each promise names tests, by a part of their names.
TEST(Documents, APromiseNamesTestsThatThereAre) {
  std::string tests = "fuzz";
  for (const auto& file : fs::recursive_directory_iterator(fs::path(DOWNPOUR_SOURCE_DIR) / "tests")) {
    if (!absl::EndsWith(file.path().string(), "_test.cc")) continue;
    std::ifstream source(file.path());
    const std::string text(std::istreambuf_iterator<char>(source), {});
    for (const std::string& name : Matches(text, R"(\nTEST(?:_F|_P)?\((\w+,\s+\w+)\))"))
      absl::StrAppend(&tests, "\n", name);
  }
  int promises = 0;
  for (const std::string& column :
       Matches(SourceText("server/PROMISES.md"), R"(\n\|[^\n]*\|([^|\n]*)\|(?=\n))")) {
    const std::vector<std::string> named = Matches(column, "`(\\w+)`");
    if (!named.empty()) ++promises;
    for (const std::string& name : named) EXPECT_THAT(tests, ::testing::HasSubstr(name));
  }
  EXPECT_GE(promises, 20);
}

TEST(Documents, CiRunsTheTestSuite) {
  EXPECT_THAT(SourceText(".ci/run"), ::testing::ContainsRegex("\n[^#\n]* deploy/test [\"$]"));
  EXPECT_THAT(SourceText(".ci/run"), ::testing::ContainsRegex("\nrun \"\\$budget_s\" deploy/test\n"));
  EXPECT_THAT(SourceText(".ci/run"), ::testing::ContainsRegex("\n[^#\n]*deploy/check --all"));
}

// Tests the readers above.
TEST(Documents, CodeBlocksAreSeenInBothForms) {
  EXPECT_THAT(CodeBlocks("a\n\n    one\n    two\n\nb\n```sh\nthree\n```\nc\n"),
              ElementsAre("one\ntwo", "three"));
  EXPECT_THAT(Matches("[a](b.md) ![c](d/e.svg) [f](g.md#h)", R"(\]\(([^)\s#]+)[^)]*\))"),
              ElementsAre("b.md", "d/e.svg", "g.md"));
}

}  // namespace
}  // namespace downpour
