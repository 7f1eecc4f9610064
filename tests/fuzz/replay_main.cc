// Where on the data's way: where bytes from outside enter; feeds one of the parsers its corpus and random
// mutations of it.
//   replay CORPUS MUTATIONS [SAVE] [--seed=N]
// The mutations follow from the seed, on every machine: --seed, else the environment's FUZZ_SEED, else a new
// one each run. It is printed before the first input, so that a crash can be replayed. With SAVE, each input
// is written to that file before the target sees it, so that after a crash the file holds the input that
// caused it.
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "common/random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace downpour {
namespace {

constexpr size_t kMostInputBytes = 1 << 16;

// Bytes from disk and network must not make a parser use memory without limit. Sanitizers reserve a lot of
// memory at the start, so a build with them sets no limit.
void LimitMemory() {
#ifdef DOWNPOUR_MEMORY_LIMIT
  const rlimit limit = {DOWNPOUR_MEMORY_LIMIT, DOWNPOUR_MEMORY_LIMIT};
  setrlimit(RLIMIT_AS, &limit);
#endif
}

// Edits the input once, as real damage does, or as wrong size fields need.
void Mutate(const std::vector<std::string>& seeds, Random* random, std::string* input) {
  const size_t at = random->Below(input->size() + 1);
  const size_t length = 1 + random->Below(8);
  static constexpr int32_t kNumbers[] = {0,     1,       -1,      2,         127,      255,
                                         65535, 1 << 16, 1 << 28, INT32_MAX, INT32_MIN};
  switch (random->Below(8)) {
    case 0:  // a flipped bit
      if (at < input->size()) (*input)[at] = static_cast<char>((*input)[at] ^ (1 << random->Below(8)));
      break;
    case 1:  // another byte
      if (at < input->size()) (*input)[at] = static_cast<char>(random->Next());
      break;
    case 2:  // a number
      if (at + sizeof(int32_t) <= input->size()) {
        const int32_t number = kNumbers[random->Below(std::size(kNumbers))];
        input->replace(at, sizeof(number), reinterpret_cast<const char*>(&number), sizeof(number));
      }
      break;
    case 3:  // bytes more
      input->insert(at, length, static_cast<char>(random->Next()));
      break;
    case 4:  // bytes less
      if (at < input->size()) input->erase(at, length);
      break;
    case 5:  // cut short
      input->resize(at);
      break;
    case 6:  // a piece repeated
      if (at < input->size()) input->insert(random->Below(input->size() + 1), input->substr(at, 4 * length));
      break;
    default: {  // the end of another seed
      const std::string& other = seeds[random->Below(seeds.size())];
      input->resize(at);
      input->append(other, random->Below(other.size() + 1));
    }
  }
  if (input->size() > kMostInputBytes) input->resize(kMostInputBytes);
}

void Run(const std::string& input, const char* save) {
  if (save != nullptr) std::ofstream(save, std::ios::binary) << input;
  // A copy of exactly this size, so that a sanitizer reports a read of one byte too many.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

int Replay(const char* corpus, int64_t mutations, uint64_t seed, const char* save) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(corpus)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    Run(seeds.back(), save);
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seeds\n", corpus);
    return 1;
  }
  for (int64_t i = 0; i < mutations; ++i) {
    Random random(seed, i);
    std::string input = seeds[random.Below(seeds.size())];
    for (uint64_t edits = 1 + random.Below(4); edits > 0; --edits) Mutate(seeds, &random, &input);
    Run(input, save);
  }
  std::printf("%zu seeds and %lld mutations of them\n", seeds.size(), static_cast<long long>(mutations));
  return 0;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  const char* environment = std::getenv("FUZZ_SEED");
  std::string wanted_seed = environment == nullptr ? "" : environment;
  std::vector<const char*> arguments;
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (absl::ConsumePrefix(&argument, "--seed=")) {
      wanted_seed = std::string(argument);
    } else {
      arguments.push_back(argv[i]);
    }
  }
  uint64_t seed = std::random_device{}();
  int64_t mutations = 0;
  if (arguments.size() < 2 || arguments.size() > 3 || !absl::SimpleAtoi(arguments[1], &mutations) ||
      (!wanted_seed.empty() && !absl::SimpleAtoi(wanted_seed, &seed))) {
    std::fprintf(
        stderr,
        "usage: %s CORPUS MUTATIONS [SAVE] [--seed=N]\n"
        "N, or the environment's FUZZ_SEED, is '%s'; want a number from 0 on, or none for a new seed\n",
        argv[0], wanted_seed.c_str());
    return 2;
  }
  std::printf("seed %llu; replay with FUZZ_SEED=%llu %s %s %s\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(seed), argv[0], arguments[0], arguments[1]);
  std::fflush(stdout);
  downpour::LimitMemory();
  return downpour::Replay(arguments[0], mutations, seed, arguments.size() == 3 ? arguments[2] : nullptr);
}
