// Where on the data's way: beside it; compiles loops over tensors for several vector units.
#ifndef DOWNPOUR_COMMON_TENSOR_SIMD_CLONES_H_
#define DOWNPOUR_COMMON_TENSOR_SIMD_CLONES_H_

// Distributions build for the oldest x86-64, which has 4 float lanes; a function marked so is also compiled
// for 8 and 16, and gives the same bits on each: server/CMakeLists.txt forbids fused multiply-adds in its
// files that use it. The loader picks the clone (an ifunc) before a sanitizer's runtime is up, so sanitized
// builds do without.
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
