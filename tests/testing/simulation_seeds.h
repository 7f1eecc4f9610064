// Where on the data's way: for simulations of a cluster: which of them a test runs.
#ifndef DOWNPOUR_TESTS_TESTING_SIMULATION_SEEDS_H_
#define DOWNPOUR_TESTS_TESTING_SIMULATION_SEEDS_H_

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace downpour {

// A sanitizer makes a simulation several times as long; then it runs for a fifth of the seeds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr uint64_t kOneSeedOf = 5;
#else
inline constexpr uint64_t kOneSeedOf = 1;
#endif

// The seeds 0 to `fixed` - 1, the same at every run, then `fresh` seeds that nobody has tried yet. The
// environment's DOWNPOUR_SIMULATION_SEED=N replays N alone, DOWNPOUR_SIMULATION_SEEDS=N runs 0 to N - 1.
inline std::vector<uint64_t> SimulationSeeds(uint64_t fixed, uint64_t fresh) {
  if (const char* const replay = std::getenv("DOWNPOUR_SIMULATION_SEED"))
    return {std::strtoull(replay, nullptr, 10)};
  const char* const many = std::getenv("DOWNPOUR_SIMULATION_SEEDS");
  if (many != nullptr) {
    fixed = kOneSeedOf * std::strtoull(many, nullptr, 10);
    fresh = 0;
  }
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 0; seed < fixed / kOneSeedOf; ++seed) seeds.push_back(seed);
  const uint64_t first = 1'000'000 + std::random_device()();
  for (uint64_t seed = first; seed < first + fresh / kOneSeedOf; ++seed) seeds.push_back(seed);
  return seeds;
}

inline std::string HowToReplay(uint64_t seed) {
  return "replay with DOWNPOUR_SIMULATION_SEED=" + std::to_string(seed);
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_SIMULATION_SEEDS_H_
