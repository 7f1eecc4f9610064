// Where on the data's way: before it; deploy/paper makes the runs of the parts that one names, then the page.
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A checkout whose programs only write down how they were called.
class PaperScript : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "data");
    std::ofstream(folder_ / "data/train-images-idx3-ubyte.gz") << "images";
    fs::create_directories(folder_ / "deploy");
    fs::copy_file(DOWNPOUR_SOURCE_DIR "/deploy/paper", folder_ / "deploy/paper");
    for (const char* program : {"deploy/packages", "path/cmake", "build/release/bin/downpour-sweep",
                                "build/release/bin/downpour-paper"}) {
      fs::create_directories((folder_ / program).parent_path());
      std::ofstream(folder_ / program)
          << "#!/bin/bash\necho \"${0##*/} $*\" >>" << (folder_ / "calls").string()
          << "\n[[ ! -e fails || $0 != *sweep ]]\n";
      fs::permissions(folder_ / program, fs::perms::owner_all);
    }
    std::ofstream(folder_ / "build/release/CMakeCache.txt");
  }
  int Run(const std::string& arguments) {
    const int status = std::system(absl::StrCat("cd ", folder_.string(), "/data && PATH=", folder_.string(),
                                                "/path:$PATH ../deploy/paper ", arguments, " >../log 2>&1")
                                       .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Text(const char* file) const { return FileText(folder_ / file); }
  std::string Sweep(const std::string& grid, const std::string& more = "") const {
    return absl::StrCat("downpour-sweep deploy/figures/", grid, ".textproto --out=runs/paper/", grid,
                        " --data.mnist_dir=", folder_.string(), "/data/.", more, "\n");
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "paper_script";
};

TEST_F(PaperScript, MakesTheNamedPartsInOrderAndThenThePage) {
  ASSERT_EQ(Run("--mnist=. table2 fig1 --seeds=1"), 0) << Text("log");
  EXPECT_THAT(
      Text("calls"),
      HasSubstr(absl::StrCat(Sweep("table2", " --seeds=1"), Sweep("figure1", " --seeds=1"),
                             Sweep("figure1", " --only=method=MOMENTUM,ANNEALED --seeds=1,2,3,4,5 --seeds=1"),
                             "downpour-paper --runs=runs/paper\n")));
}

TEST_F(PaperScript, WithoutPartsMakesAll) {
  ASSERT_EQ(Run("--mnist=."), 0) << Text("log");
  EXPECT_THAT(Text("calls"),
              HasSubstr(absl::StrCat(Sweep("tanh"), Sweep("table2"), Sweep("table1"), Sweep("figure1"))));
  EXPECT_THAT(Text("calls"), HasSubstr(absl::StrCat(Sweep("figure2"), "downpour-paper --runs=runs/paper\n")));
}

TEST_F(PaperScript, SaysWhereMnistIsMissingAndStopsWhereARunFails) {
  EXPECT_EQ(Run("table1"), 2);
  EXPECT_THAT(Text("log"), HasSubstr("no MNIST in corpus/mnist: fetch it with deploy/mnist corpus/mnist"));
  EXPECT_EQ(Text("calls"), "");
  std::ofstream(folder_ / "fails") << "yes\n";
  EXPECT_NE(Run("--mnist=. table1"), 0);
  EXPECT_THAT(Text("calls"), ::testing::Not(HasSubstr("downpour-paper --runs")));
}

// Every grid that the script names is one that downpour-sweep reads: --help apart, it expands them before any
// run begins, and here finds no data.
TEST(PaperGrids, AreRead) {
  for (const char* grid : {"tanh", "table1", "table2", "figure1", "figure2"}) {
    const std::string folder = ::testing::TempDir() + "/paper_grids";
    fs::remove_all(folder);
    fs::create_directories(folder);
    ChildProcess sweep({absl::StrCat(DOWNPOUR_PROGRAM_DIR, "/downpour-sweep"),
                        absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/figures/", grid, ".textproto"),
                        absl::StrCat("--out=", folder, "/out"), "--data.mnist_dir=/nowhere", "--jobs=1"},
                       folder + "/log");
    EXPECT_NE(sweep.Wait(), 0);
    EXPECT_THAT(sweep.Output(), HasSubstr("/nowhere/train-images-idx3-ubyte")) << grid;
  }
}

}  // namespace
}  // namespace downpour
