// Where on the data's way: between gradient and push; what of a gradient travels now, and what later.
#ifndef DOWNPOUR_WORKER_REPLICA_GRADIENT_COMPRESSOR_H_
#define DOWNPOUR_WORKER_REPLICA_GRADIENT_COMPRESSOR_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "proto/config.pb.h"

namespace downpour {

// Error feedback (Seide et al. 2014): what a push leaves out of the gradient is kept and added to the next
// one, so that nothing is lost, only late. Not thread-safe; computes on OpenMP's threads, with the same bits on
// any number of them. What is pushed is in bfloat16, and PackGradient() of common/wire/gradient_packing.h holds
// each block of kGradientBlockElements in few bits:
//   EIGHT_BIT  8.03 an element: a multiple, up to 127 times, of the block's own power of two
//   ONE_BIT    1.08 an element: the mean of the block's positive elements, or of its negative ones
//   TOP_K      0.05 an element, and 32 for each of the share top_k_share of all elements that is largest by
//              magnitude; the others become 0
class GradientCompressor {
 public:
  explicit GradientCompressor(const ClusterDescription& cluster)
      : compression_(cluster.gradient_compression()), top_k_share_(cluster.top_k_share()) {}

  // Whether there is any compression to do.
  bool compresses() const { return compression_ != ClusterDescription::NONE; }

  // Sets `pushed` to what travels now of the sum of `gradient` and residual, and the residual to the rest. The
  // gradient's elements are finite; both spans have the same number of elements at every call.
  void Compress(absl::Span<const float> gradient, absl::Span<uint16_t> pushed);

  // What was kept; empty before the first Compress().
  absl::Span<const float> residual() const { return residual_; }
  void set_residual(absl::Span<const float> residual) { residual_.assign(residual.begin(), residual.end()); }

 private:
  void KeepLargest(absl::Span<const float> gradient, absl::Span<uint16_t> pushed);

  const ClusterDescription::GradientCompression compression_;
  const float top_k_share_;
  std::vector<float> residual_;
};

inline bool CompressesGradients(const ClusterDescription& cluster) {
  return cluster.gradient_compression() != ClusterDescription::NONE;
}
// Whether fetched parameters are in bfloat16 on the wire, and whether gradients are; else they are in float32.
bool TravelsInBfloat16(const ClusterDescription& cluster);
inline bool PushesInBfloat16(const ClusterDescription& cluster) {
  return TravelsInBfloat16(cluster) || CompressesGradients(cluster);
}
// What a push, and a fetch, puts on the wire for each element, in bits.
double PushedBits(const ClusterDescription& cluster);
inline double FetchedBits(const ClusterDescription& cluster) { return TravelsInBfloat16(cluster) ? 16 : 32; }

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_GRADIENT_COMPRESSOR_H_
