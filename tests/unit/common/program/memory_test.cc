// Where on the data's way: common/program, before a process makes its large vectors; what does not fit.
#include "common/program/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <new>
#include <thread>
#include <vector>

namespace downpour {
namespace {

TEST(MemoryTest, WhatDoesNotFitIsRefusedWithBothSizes) {
  constexpr int64_t kGiB = 1 << 30;
  EXPECT_TRUE(CheckMemory("a vector", 2.0 * kGiB, 2 * kGiB).ok());
  const absl::Status status = CheckMemory("a vector", 335.5 * kGiB, 2 * kGiB);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      status.message(),
      "a vector needs at least 335.5 GiB of memory, want at most 2.0 GiB, all that this process can have");
}

TEST(MemoryTest, TheLimitIsTheMachinesOrTheProcesss) {
  EXPECT_GT(MemoryLimit(), 1 << 20);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = rlim_t{1} << 29;
  if (setrlimit(RLIMIT_AS, &limit) == 0) {
    EXPECT_LE(MemoryLimit(), 1 << 29);
    setrlimit(RLIMIT_AS, &before);
  }
}

// 4 EiB are more than any process can have.
TEST(MemoryDeathTest, AProcessWithoutMemoryEndsWithALine) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer has an operator new of its own, which ends the process itself";
#endif
  EXPECT_EXIT(
      {
        EndWithoutMemory("program");
        const std::vector<char> vector(int64_t{1} << 62);
        std::fputc(vector.back(), stdout);
      },
      ::testing::ExitedWithCode(1), "program: out of memory");
  EXPECT_EXIT(
      {
        EndWithoutMemory("program");
        std::thread([] { throw std::bad_alloc(); }).join();
      },
      ::testing::ExitedWithCode(1), "program: out of memory");
}

}  // namespace
}  // namespace downpour
