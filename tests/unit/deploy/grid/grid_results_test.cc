// Where on the data's way: after the runs of a grid, under test: the table that programs read.
#include "deploy/grid/grid_results.h"

#include <string>

#include "gtest/gtest.h"

namespace downpour {
namespace {

TEST(GridResults, HasALineARun) {
  GridDescription grid;
  grid.add_dimension()->set_name("replicas");
  grid.add_dimension()->set_name("noise, of all kinds");
  std::vector<GridRun> runs(2);
  runs[0].values = {"1", "the \"usual\""};
  runs[1].values = {"20", "none"};
  runs[1].description.set_seed(3);
  std::vector<LoggedRun> logs(2);
  // 16 % lies 2/5 of the way from 0.14 to 0.19, 20 % half way from 0.19 to 0.21. The mean of the last three
  // accuracies is 0.2.
  logs[0].log = ParseCsv(
      "virtual_s,updates,frames,test_loss,test_frame_accuracy\n"
      "0,0,0,9,0.01\n10,500,50000,5,0.14\n20,1000,100000,4,0.19\n40,1500,150000,3.5,0.21\n"
      "50,2000,200000,3.25,0.2\n",
      "frame_accuracy.csv");
  EXPECT_EQ(SweepCsv(grid, runs, logs),
            "replicas,\"noise, of all kinds\",seed,final_accuracy,test_loss,updates,frames,"
            "virtual_s_to_16,virtual_s_to_20\n"
            "1,\"the \"\"usual\"\"\",1,0.2,3.25,2000,200000,14,30\n"
            "20,none,3,,,,,,\n");
}

}  // namespace
}  // namespace downpour
