// Where on the data's way: before many runs, under test: which runs a grid has, with which settings.
#include "deploy/grid/grid.h"

#include <google/protobuf/text_format.h>

#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

GridDescription Grid(const std::string& text) {
  GridDescription grid;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &grid)) << text;
  return grid;
}

std::vector<GridRun> Runs(const GridDescription& grid, const Settings& overrides = {}) {
  const auto runs = ExpandGrid(grid, RunDescription(), overrides);
  EXPECT_TRUE(runs.ok()) << runs.status();
  return runs.value_or(std::vector<GridRun>());
}

std::string Error(const std::string& text, const Settings& overrides = {}) {
  return std::string(ExpandGrid(Grid(text), RunDescription(), overrides).status().message());
}

constexpr char kTwoByTwo[] = R"(
set: ["budget.epochs=1", "name=x"]
dimension { name: "replicas" field: "cluster.replicas" value: [{ name: "1" }, { name: "20" }] }
dimension {
  name: "noise"
  value: { name: "none" }
  value: { name: "ten times, loud" set: ["--noise.adversary_share=0.1", "noise.adversary_scale=10"] }
}
seed: [5, 6])";

TEST(Grid, HasEveryValueWithEveryOtherForEachSeed) {
  const std::vector<GridRun> runs = Runs(Grid(kTwoByTwo), {{"budget.epochs", "2"}, {"data.test_dir", "a b"}});
  ASSERT_THAT(runs, SizeIs(8));
  EXPECT_EQ(runs[0].name, "1-none-seed5");
  EXPECT_EQ(runs[2].name, "20-none-seed5");
  EXPECT_EQ(runs[7].name, "20-ten_times__loud-seed6");
  EXPECT_THAT(runs[7].values, ElementsAre("20", "ten times, loud"));
  EXPECT_THAT(
      runs[7].settings,
      ElementsAre(Pair("seed", "6"), Pair("cluster.replicas", "20"), Pair("noise.adversary_share", "0.1"),
                  Pair("noise.adversary_scale", "10"), Pair("budget.epochs", "2"),
                  Pair("data.test_dir", "a b"), Pair("name", "20-ten_times__loud-seed6")))
      << "each field once, the last word being the command line's";
  EXPECT_EQ(runs[7].description.noise().adversary_scale(), 10);
  EXPECT_EQ(runs[7].description.budget().epochs(), 2);
}

TEST(Grid, ForcesNothingAndTakesTheSeedOfTheBase) {
  RunDescription base;
  base.set_seed(7);
  const auto runs = ExpandGrid(Grid(""), base, {});
  ASSERT_TRUE(runs.ok()) << runs.status();
  ASSERT_THAT(*runs, SizeIs(1));
  EXPECT_THAT((*runs)[0].settings, ElementsAre(Pair("seed", "7"), Pair("name", "seed7")));
}

TEST(Grid, OnlyChoosesAndAddsValues) {
  GridDescription grid = Grid(kTwoByTwo);
  EXPECT_TRUE(KeepOnly("replicas=20,3,noise=none", &grid).ok());
  grid.clear_seed();
  const std::vector<GridRun> runs = Runs(grid);
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].name, "20-none-seed1");
  EXPECT_EQ(runs[1].description.cluster().replicas(), 3);

  EXPECT_THAT(KeepOnly("noise=thunder", &grid).message(),
              HasSubstr("dimension 'noise' has no value 'thunder', want one of none"));
  EXPECT_THAT(KeepOnly("rain=1", &grid).message(), AllOf(HasSubstr("rain=1"), HasSubstr("replicas, noise")));
}

TEST(Grid, ErrorsNameDimensionValueAndField) {
  EXPECT_THAT(Error("dimension { name: 'size' field: 'network.hidden_widht' value { name: '5' } }"),
              AllOf(HasSubstr("dimension 'size', value '5'"), HasSubstr("hidden_widht")));
  EXPECT_THAT(Error("dimension { name: 'n' value { name: 'x' set: 'cluster.replicas' } }"),
              HasSubstr("dimension 'n', value 'x' sets 'cluster.replicas', want field=value"));
  EXPECT_THAT(Error("set: 'cluster.replicas=many'"), AllOf(HasSubstr("the grid"), HasSubstr("many")));
  EXPECT_THAT(Error("dimension { name: 'n' }"), HasSubstr("dimension 'n' has 0 values"));
  EXPECT_THAT(Error("seed: [1, 1]"), HasSubstr("are the same run"));
  EXPECT_THAT(
      Error("dimension { name: 'n' field: 'data.test_dir' value: [{ name: 'a b' }, { name: 'a_b' }] }"),
      HasSubstr("two runs have the name 'a_b-seed1'"));
}

TEST(Grid, AFieldOfADimensionIsNotOverridden) {
  EXPECT_THAT(Error(kTwoByTwo, {{"cluster.replicas", "9"}}),
              HasSubstr("--cluster.replicas is what dimension 'replicas' sets, want --only=replicas="));
  EXPECT_THAT(
      Error("dimension { name: 'o' field: 'optimizer' value: [{ name: 'SGD' }, { name: 'ADAGRAD' }] }",
            {{"optimizer.kind", "ADADELTA"}}),
      HasSubstr("are the same run"));
}

TEST(Grid, TheGridsOfTheCheckoutAreValid) {
  const std::string deploy = absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/");
  const std::string small = "quickstart.textproto", full = "full_scale.textproto";
  for (const auto& [name, base_name, count] :
       {std::tuple("sweep", small, 20), std::tuple("noise", small, 18), std::tuple("asynchrony", small, 60),
        std::tuple("figures/figure3_small", small, 6), std::tuple("figures/figure4_small", small, 9),
        std::tuple("figures/figure3", full, 2), std::tuple("figures/figure4", full, 3)}) {
    const auto grid = ReadGrid(absl::StrCat(deploy, name, ".textproto"));
    ASSERT_TRUE(grid.ok()) << grid.status();
    EXPECT_EQ(grid->base(), "deploy/" + base_name);
    const auto base = ReadRunDescription(deploy + base_name);
    ASSERT_TRUE(base.ok()) << base.status();
    const auto runs = ExpandGrid(*grid, *base, {});
    ASSERT_TRUE(runs.ok()) << runs.status();
    EXPECT_THAT(*runs, SizeIs(count)) << name;
    for (const GridRun& run : *runs) EXPECT_TRUE(ValidateRunDescription(run.description).ok()) << run.name;
  }
  EXPECT_THAT(ReadGrid(deploy + "quickstart.textproto").status().message(),
              HasSubstr("deploy/quickstart.textproto:4:1: "));
}

}  // namespace
}  // namespace downpour
