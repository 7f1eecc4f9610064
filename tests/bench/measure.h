// Where on the data's way: for the benchmarks: timing, and the memory bandwidth that they compare with.
#ifndef DOWNPOUR_TESTS_BENCH_MEASURE_H_
#define DOWNPOUR_TESTS_BENCH_MEASURE_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace downpour {

inline double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

inline int Cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

// Runs work(0), ..., work(threads - 1), each on a thread of its own.
inline void OnThreads(int threads, const std::function<void(int)>& work) {
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work, i);
  work(0);
}

// Computes a[i] = b[i] + s c[i] over 64 MiB per vector and thread, more than most caches hold.
class Triad {
 public:
  explicit Triad(int threads) : a_(Filled(threads, 0)), b_(Filled(threads, 1)), c_(Filled(threads, 2)) {}

  // The time for reading and writing `bytes` bytes, by all threads together.
  double SecondsFor(size_t bytes) {
    const size_t wanted = bytes / (3 * sizeof(float)) / a_.size();
    return Seconds([&] {
      OnThreads(static_cast<int>(a_.size()), [&](int thread) {
        for (size_t left = wanted, n; left > 0; left -= n) Run(thread, n = std::min(left, kElements));
      });
    });
  }

 private:
  static constexpr size_t kElements = size_t{16} << 20;

  static std::vector<std::vector<float>> Filled(int threads, float value) {
    return {static_cast<size_t>(threads), std::vector<float>(kElements, value)};
  }
  void Run(int thread, size_t n) {
    float* __restrict a = a_[thread].data();
    const float* __restrict b = b_[thread].data();
    const float* __restrict c = c_[thread].data();
    for (size_t i = 0; i < n; ++i) a[i] = b[i] + 0.5f * c[i];
    benchmark::DoNotOptimize(a);
    benchmark::ClobberMemory();
  }

  std::vector<std::vector<float>> a_, b_, c_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_BENCH_MEASURE_H_
