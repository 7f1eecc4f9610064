// Where on the data's way: the coordinator; lowers the step when the test loss no longer falls.
#ifndef DOWNPOUR_SERVER_COORDINATOR_PLATEAU_H_
#define DOWNPOUR_SERVER_COORDINATOR_PLATEAU_H_

#include "proto/checkpoint.pb.h"
#include "proto/config.pb.h"

namespace downpour {

// The factor of the schedule PLATEAU: 1, and times schedule.decay at each evaluation that is the last of
// schedule.patience ones, one after another, whose test loss was not below the lowest before them. For any
// other kind of schedule it stays 1. Not thread-safe.
class Plateau {
 public:
  explicit Plateau(const ScheduleDescription& schedule) : schedule_(schedule) { state_.set_factor(1); }

  // The mean test loss of an evaluation, in nats. NaN is not below anything.
  void Record(double loss);
  float factor() const { return static_cast<float>(state_.factor()); }

  const PlateauState& Save() const { return state_; }
  void Load(const PlateauState& state) { state_ = state; }

 private:
  const ScheduleDescription schedule_;
  PlateauState state_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_PLATEAU_H_
