// Where on the data's way: between gradient and push, in studies of robustness; what disturbs one replica.
#ifndef DOWNPOUR_WORKER_REPLICA_REPLICA_NOISE_H_
#define DOWNPOUR_WORKER_REPLICA_REPLICA_NOISE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"

namespace downpour {

// NoiseDescription (proto/config.proto) as it befalls one replica. Every answer is a function of (description,
// seed, replica_id) and its arguments alone: there is no state for a checkpoint. A value; thread-safe.
class ReplicaNoise {
 public:
  // `description` is valid by ValidateRunDescription; `seed` is the run's; `classes` > 0.
  ReplicaNoise(const NoiseDescription& description, uint64_t seed, uint64_t replica_id, int32_t classes);

  // Labels of minibatch `step`, in [0, classes).
  void DisturbLabels(int64_t step, absl::Span<int32_t> labels) const;
  // Whether DisturbGradient() does anything.
  bool disturbs_gradients() const { return description_.gradient_sigma() > 0 || adversary_; }
  // The mean gradient of minibatch `step`: Gaussian noise first, then an adversary's factor.
  void DisturbGradient(int64_t step, absl::Span<float> gradient) const;

  bool PushDropped(uint64_t sequence) const;
  bool PushRepeated(uint64_t sequence) const;
  // How long that push is held back.
  absl::Duration PushDelay(uint64_t sequence) const;

  // What the time of a gradient is multiplied by, 1 or more.
  double slowness() const { return slow_ ? description_.slow_factor() : 1; }
  bool adversary() const { return adversary_; }

 private:
  // Purposes draw from streams of their own, so that one share does not change what another befalls.
  enum Stream : uint64_t { kLabels = 1, kGradient, kDrop, kRepeat, kDelay };
  uint64_t SeedOf(Stream stream) const;
  bool Befalls(double share, Stream stream, uint64_t sequence) const;

  NoiseDescription description_;
  uint64_t seed_;
  int32_t classes_;
  bool adversary_;
  bool slow_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_REPLICA_NOISE_H_
