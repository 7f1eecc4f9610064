// Where on the data's way: for the fuzz targets: runs one with its seed corpus and with seeded mutations
// of it.
//   replay CORPUS MUTATIONS [SAVE]
// The mutations are the same in every run and on every machine. With SAVE, each input is written to that file
// before the target gets it, so that after a crash the file holds the input that caused it.
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
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

int Replay(const char* corpus, int64_t mutations, const char* save) {
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
    Random random(1, i);
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
  int64_t mutations = 0;
  if (argc < 3 || argc > 4 || !absl::SimpleAtoi(argv[2], &mutations)) {
    std::fprintf(stderr, "usage: %s CORPUS MUTATIONS [SAVE]\n", argv[0]);
    return 2;
  }
  downpour::LimitMemory();
  return downpour::Replay(argv[1], mutations, argc == 4 ? argv[3] : nullptr);
}
