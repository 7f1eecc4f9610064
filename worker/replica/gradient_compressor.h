// Where on the data's way: after the gradient, before the push; what of it travels now, and what later.
#ifndef DOWNPOUR_WORKER_REPLICA_GRADIENT_COMPRESSOR_H_
#define DOWNPOUR_WORKER_REPLICA_GRADIENT_COMPRESSOR_H_

#include <vector>

#include "absl/types/span.h"
#include "proto/config.pb.h"

namespace downpour {

// Error feedback (Seide et al. 2014): what a push leaves out of the gradient is kept and added to the next one, so that
// nothing is lost, only late. Whatever is left in a gradient is a bfloat16, in blocks of kGradientBlockElements that
// PackGradient() of common/wire/gradient_packing.h holds in few bytes:
//   EIGHT_BIT  multiples, up to 127, of a power of two, the block's own: 8.05 bits an element
//   ONE_BIT    the mean of the block's positive elements, or of its negative ones: 1.08 bits
//   TOP_K      0, but for the share top_k_share of all elements that is largest by magnitude: some 33 bits of each of those
// Not thread-safe.
class GradientCompressor {
 public:
  explicit GradientCompressor(const ClusterDescription& cluster)
      : compression_(cluster.gradient_compression()), top_k_share_(cluster.top_k_share()) {}

  // Adds the residual to `gradient`, which is as long at every call; takes out of it what does not travel. Its elements
  // are finite. NONE: does nothing.
  void Compress(absl::Span<float> gradient);

  // What has been kept; empty before the first Compress().
  absl::Span<const float> residual() const { return residual_; }
  void set_residual(absl::Span<const float> residual) { residual_.assign(residual.begin(), residual.end()); }

 private:
  const ClusterDescription::GradientCompression compression_;
  const float top_k_share_;
  std::vector<float> residual_;
};

// Whether gradients and fetched parameters are in bfloat16 on the wire; else they are in float32.
bool TravelsInBfloat16(const ClusterDescription& cluster);
// What a push, and a fetch, puts on the wire for each element, in bits.
double PushedBits(const ClusterDescription& cluster);
inline double FetchedBits(const ClusterDescription& cluster) { return TravelsInBfloat16(cluster) ? 16 : 32; }

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_REPLICA_GRADIENT_COMPRESSOR_H_
