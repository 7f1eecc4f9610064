// Where on the data's way: draws the durations of each replica from a random stream of its own.
#include "deploy/in_process/virtual_time.h"

#include <algorithm>
#include <cmath>

namespace downpour {
namespace {

// The first random stream of the run's seed that draws durations: replica 0's.
constexpr uint64_t kFirstStream = uint64_t{1} << 32;

constexpr double kCenturyNs = 3.15576e18;

int64_t Nanoseconds(double seconds) { return RoundNanoseconds(seconds * 1e9); }

}  // namespace

int64_t RoundNanoseconds(double nanoseconds) {
  return std::llround(nanoseconds < kCenturyNs ? std::max(nanoseconds, 0.0) : kCenturyNs);
}

ReplicaTimes::ReplicaTimes(uint64_t seed, uint32_t replica, const VirtualClockDescription& description)
    : random_(seed, kFirstStream + replica), speed_(random_.LogNormal(description.replica_speed_sigma())) {}

int64_t ReplicaTimes::ComputeNs(const VirtualClockDescription& description) {
  const double usual = description.compute_mean_s() * speed_ * random_.LogNormal(description.compute_sigma());
  const bool straggles = random_.Uniform() < description.straggler_probability();
  return Nanoseconds(straggles ? usual * description.straggler_factor() : usual);
}

int64_t ReplicaTimes::TransferNs(const VirtualClockDescription& description, int64_t bytes) {
  return Nanoseconds(description.latency_s() * random_.Exponential() +
                     static_cast<double>(bytes) / description.bandwidth_bytes_per_s());
}

}  // namespace downpour
