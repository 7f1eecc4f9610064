// Where on the data's way: between gradient and push, in studies of robustness; what disturbs one replica.
#ifndef DOWNPOUR_WORKER_REPLICA_REPLICA_NOISE_H_
#define DOWNPOUR_WORKER_REPLICA_REPLICA_NOISE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/random.h"
#include "proto/config.pb.h"

namespace downpour {

// What NoiseDescription (proto/config.proto) means for one replica. Every answer depends only on description,
// seed, replica_id and the arguments, so there is no state to keep in a checkpoint. A value; thread-safe.
class ReplicaNoise {
 public:
  // `description` is valid by ValidateRunDescription; `seed` is the run's; `classes` > 0.
  ReplicaNoise(const NoiseDescription& description, uint64_t seed, uint64_t replica_id, int32_t classes);

  // Replaces some labels of minibatch `step` by random ones in [0, classes).
  void DisturbLabels(int64_t step, absl::Span<int32_t> labels) const;
  // Whether DisturbGradient() does anything.
  bool disturbs_gradients() const { return description_.gradient_sigma() > 0 || adversary_; }
  // Adds Gaussian noise to the mean gradient of minibatch `step`, then applies an adversary's factor.
  void DisturbGradient(int64_t step, absl::Span<float> gradient) const;

  // Whether the push with sequence number `push` is lost, whether it is made twice, how long it is held back.
  bool PushDropped(uint64_t push) const { return Befalls(description_.push_drop_share(), kDrop, push); }
  bool PushRepeated(uint64_t push) const { return Befalls(description_.push_repeat_share(), kRepeat, push); }
  absl::Duration PushDelay(uint64_t push) const;

  // The factor, 1 or more, on the time that a gradient takes.
  double slowness() const { return slow_ ? description_.slow_factor() : 1; }
  bool adversary() const { return adversary_; }

 private:
  // Each purpose draws from its own stream, so that changing one share leaves the other draws as they were.
  enum Stream : uint64_t { kLabels = 1, kGradient, kDrop, kRepeat, kDelay };
  uint64_t SeedOf(Stream stream) const { return RandomAt(seed_, stream); }
  bool Befalls(double share, Stream stream, uint64_t sequence) const;

  NoiseDescription description_;
  uint64_t seed_;
  int32_t classes_;
  bool adversary_;
  bool slow_;
};

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_REPLICA_NOISE_H_
