// Where on the data's way: on the shard, before the first update: within which limits the initial weights
// are drawn.
#include "common/layout/nonlinearity.h"

#include <cmath>

namespace downpour {

double GlorotLimit(double fan_in, double fan_out) { return std::sqrt(6 / (fan_in + fan_out)); }

double RectifiedLinear::WeightLimit(double fan_in, double /*fan_out*/) { return std::sqrt(6 / fan_in); }

double Logistic::WeightLimit(double fan_in, double fan_out) { return 4 * GlorotLimit(fan_in, fan_out); }

}  // namespace downpour
