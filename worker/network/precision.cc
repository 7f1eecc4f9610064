// Where on the data's way: before the network is made; asks oneDNN what it may use on this CPU.
#include "worker/network/precision.h"

#include <oneapi/dnnl/dnnl.hpp>

#include "absl/status/status.h"
#include "common/check.h"

namespace downpour {

Bfloat16Support CpuBfloat16Support() {
#if defined(__x86_64__)
  // oneDNN's values are bit sets: each instruction set contains the bits of those it extends.
  const int isa = static_cast<int>(dnnl::get_effective_cpu_isa());
  const auto has = [isa](dnnl::cpu_isa wanted) {
    return (isa & static_cast<int>(wanted)) == static_cast<int>(wanted);
  };
  if (has(dnnl::cpu_isa::avx512_core_amx)) return Bfloat16Support::kFaster;
  if (has(dnnl::cpu_isa::avx512_core_bf16))
    return __builtin_cpu_is("amd") ? Bfloat16Support::kFaster : Bfloat16Support::kNative;
#endif
  return Bfloat16Support::kNone;
}

absl::StatusOr<NetworkDescription::Precision> ResolvePrecision(NetworkDescription::Precision wanted,
                                                               int64_t max_frames, Bfloat16Support cpu) {
  switch (wanted) {
    case NetworkDescription::BFLOAT16:
      if (cpu == Bfloat16Support::kNone) {
        return absl::UnimplementedError(
            "network.precision: BFLOAT16 on a CPU without bfloat16 instructions: want AUTO or FLOAT32");
      }
      return NetworkDescription::BFLOAT16;
    case NetworkDescription::AUTO:
      return cpu == Bfloat16Support::kFaster && max_frames >= kBfloat16MinFrames
                 ? NetworkDescription::BFLOAT16
                 : NetworkDescription::FLOAT32;
    case NetworkDescription::FLOAT32:
      return NetworkDescription::FLOAT32;
  }
  DOWNPOUR_CHECK(false);  // proto2 parses no other value
}

}  // namespace downpour
