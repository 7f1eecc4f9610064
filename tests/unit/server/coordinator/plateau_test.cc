// Where on the data's way: the coordinator; when the test loss lowers the step.
#include "server/coordinator/plateau.h"

#include <cmath>

#include "gtest/gtest.h"

namespace downpour {
namespace {

ScheduleDescription Schedule(int patience) {
  ScheduleDescription schedule;
  schedule.set_kind(ScheduleDescription::PLATEAU);
  schedule.set_decay(0.5);
  schedule.set_patience(patience);
  return schedule;
}

TEST(PlateauTest, HalvesAtEachEvaluationWithoutALowerLoss) {
  Plateau plateau(Schedule(1));
  EXPECT_EQ(plateau.factor(), 1);
  for (const auto& [loss, factor] : {std::pair(4.0, 1.0), std::pair(3.0, 1.0), std::pair(3.0, 0.5),
                                     std::pair(3.5, 0.25), std::pair(2.9, 0.25), std::pair(2.9, 0.125)}) {
    plateau.Record(loss);
    EXPECT_EQ(plateau.factor(), factor) << loss;
  }
}

TEST(PlateauTest, WaitsAsLongAsItsPatienceAndCountsAnew) {
  Plateau plateau(Schedule(2));
  for (const auto& [loss, factor] :
       {std::pair(3.0, 1.0), std::pair(4.0, 1.0), std::pair(4.0, 0.5), std::pair(4.0, 0.5),
        std::pair(2.0, 0.5), std::pair(4.0, 0.5), std::pair(4.0, 0.25)}) {
    plateau.Record(loss);
    EXPECT_EQ(plateau.factor(), factor) << loss;
  }
}

TEST(PlateauTest, LossThatIsNoNumberIsNeverLower) {
  Plateau plateau(Schedule(1));
  plateau.Record(NAN);
  EXPECT_EQ(plateau.factor(), 0.5);
  plateau.Record(3);
  EXPECT_EQ(plateau.factor(), 0.5);
}

TEST(PlateauTest, GoesOnFromItsState) {
  Plateau before(Schedule(2)), after(Schedule(2));
  for (const double loss : {3.0, 4.0, 4.0, 4.0}) before.Record(loss);
  after.Load(before.Save());
  EXPECT_EQ(after.factor(), 0.5);
  after.Record(3.5);
  EXPECT_EQ(after.factor(), 0.25);
}

TEST(PlateauTest, OtherSchedulesHaveNone) {
  ScheduleDescription cosine = Schedule(1);
  cosine.set_kind(ScheduleDescription::COSINE);
  Plateau plateau(cosine);
  for (const double loss : {3.0, 4.0, 5.0}) plateau.Record(loss);
  EXPECT_EQ(plateau.factor(), 1);
}

}  // namespace
}  // namespace downpour
