// Where on the data's way: the coordinator; compares each evaluation's test loss with the lowest before it.
#include "server/coordinator/plateau.h"

#include <limits>

namespace downpour {

void Plateau::Record(double loss) {
  if (schedule_.kind() != ScheduleDescription::PLATEAU) return;
  const double lowest =
      state_.has_lowest_loss() ? state_.lowest_loss() : std::numeric_limits<double>::infinity();
  if (loss < lowest) {
    state_.set_lowest_loss(loss);
    state_.set_without_lower(0);
    return;
  }
  state_.set_without_lower(state_.without_lower() + 1);
  if (state_.without_lower() < schedule_.patience()) return;
  state_.set_factor(state_.factor() * schedule_.decay());
  state_.set_without_lower(0);
}

}  // namespace downpour
