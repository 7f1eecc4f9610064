// Where on the data's way: on both sides of the wire; compiles loops over tensors for several vector units.
#ifndef DOWNPOUR_COMMON_TENSOR_SIMD_CLONES_H_
#define DOWNPOUR_COMMON_TENSOR_SIMD_CLONES_H_

// Distributions build for the oldest x86-64, which computes on 4 floats at once. A function marked with this
// is also compiled for AVX2 (8 floats) and AVX-512 (16), and the loader picks the clone that suits the CPU
// (an ifunc). It does so before a sanitizer's runtime is ready, so sanitized builds have no clones.
//
// The clones of a function give the same bits if no order of its sums depends on the number of lanes, and no
// product that is rounded goes straight into a sum. GCC may compute such a pair with a single rounding, for
// which only AVX-512's clone has an instruction, unless -ffp-contract=off forbids it. So:
//   server/optimizer         gives the same bits in every clone, and wherever a range is cut: it is compiled
//                            with -ffp-contract=off.
//   common/tensor and        give the same bits: they add in a fixed order, and have no products but those by
//   worker/replica           powers of two, which are exact.
//   worker/network/softmax   gives other bits on another vector unit: it adds in as many lanes as there are,
//                            and libmvec's expf depends on their number. So do oneDNN's products, and nothing
//                            relies on it: a gradient is computed once, by one replica. A run gives the same
//                            bits again on the same kind of CPU only.
#if defined(__has_feature)
#define DOWNPOUR_HAS_FEATURE(feature) __has_feature(feature)
#else
#define DOWNPOUR_HAS_FEATURE(feature) 0
#endif
#if defined(__x86_64__) && defined(__ELF__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && !DOWNPOUR_HAS_FEATURE(address_sanitizer) && \
    !DOWNPOUR_HAS_FEATURE(thread_sanitizer) && !DOWNPOUR_HAS_FEATURE(memory_sanitizer)
#define DOWNPOUR_SIMD_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DOWNPOUR_SIMD_CLONES
#endif

#endif  // DOWNPOUR_COMMON_TENSOR_SIMD_CLONES_H_
