// Where on the data's way: before the network is made; whether its matrix products read float32 or bfloat16.
#ifndef DOWNPOUR_WORKER_NETWORK_PRECISION_H_
#define DOWNPOUR_WORKER_NETWORK_PRECISION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"

namespace downpour {

// What the CPU offers for products of bfloat16 inputs with a float32 result.
enum class Bfloat16Support {
  kNone,    // emulated or absent
  kNative,  // it has the instructions, but they are no faster than float32
  kFaster,
};

// kFaster: AMX, or AVX512_BF16 on AMD (Zen 4 and 5 multiply bfloat16 at twice float32's rate). kNative:
// AVX512_BF16 elsewhere. The environment variable DNNL_MAX_CPU_ISA lowers it, as all of oneDNN. Thread-safe.
Bfloat16Support CpuBfloat16Support();

// Replaces AUTO by FLOAT32 or BFLOAT16. It follows a rule and measures nothing, so that replicas on equal
// machines decide equally: BFLOAT16 if the CPU is kFaster and a minibatch has at least kBfloat16MinFrames
// frames, since every product takes time in proportion to its frames, but converting the weights costs the
// same whatever their number. UNIMPLEMENTED: `wanted` is BFLOAT16 and the CPU has kNone.
absl::StatusOr<NetworkDescription::Precision> ResolvePrecision(NetworkDescription::Precision wanted,
                                                               int64_t max_frames, Bfloat16Support cpu);
inline constexpr int64_t kBfloat16MinFrames = 16;

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_NETWORK_PRECISION_H_
