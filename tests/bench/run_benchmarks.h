// Where on the data's way: for the benchmarks: their main function.
#ifndef DOWNPOUR_TESTS_BENCH_RUN_BENCHMARKS_H_
#define DOWNPOUR_TESTS_BENCH_RUN_BENCHMARKS_H_

#include <benchmark/benchmark.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "common/program/allocator.h"

namespace downpour {

// As BENCHMARK_MAIN(), but prints the command and the CPU's name above the table.
inline int RunBenchmarks(int argc, char** argv) {
  KeepMemoryOfChunks();
  benchmark::AddCustomContext("command", absl::StrJoin(argv, argv + argc, " "));
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);) {
    if (!absl::StartsWith(line, "model name")) continue;
    benchmark::AddCustomContext("cpu", line.substr(line.find(':') + 2));
    break;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_BENCH_RUN_BENCHMARKS_H_
