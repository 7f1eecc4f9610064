// Where on the data's way: between replica and shard of one host; memory as its owner and its peer see it.
#include "common/wire/shared_memory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numeric>
#include <vector>

#include "common/tensor/tensor_view.h"

namespace downpour {
namespace {

using ::testing::Each;

class SharedMemoryTest : public ::testing::Test {
 protected:
  uint64_t BytesHeld() const {
    struct stat state {};
    fstat(memory_->file().get(), &state);
    return static_cast<uint64_t>(state.st_blocks) * 512;
  }
  const std::unique_ptr<SharedMemoryResource> memory_ = *SharedMemoryResource::Create();
};

TEST_F(SharedMemoryTest, BothSidesSeeTheSame) {
  std::pmr::vector<float> before(7, memory_.get());
  std::pmr::vector<float> vector(5000, memory_.get());
  const auto part = absl::MakeSpan(vector).subspan(1234, 3000);
  absl::StatusOr<SharedMemoryView> view = SharedMemoryView::Map(
      memory_->file(), *memory_->OffsetOf(TensorView(part).bytes()), std::ssize(part), sizeof(float));
  ASSERT_TRUE(view.ok()) << view.status();
  ASSERT_EQ(view->elements<float>().size(), part.size());
  std::iota(part.begin(), part.end(), 1.0f);
  EXPECT_EQ(view->elements<float>()[0], 1);
  EXPECT_EQ(view->elements<float>()[2999], 3000);
  view->elements<float>()[17] = -5;
  EXPECT_EQ(vector[1234 + 17], -5);
}

TEST_F(SharedMemoryTest, KnowsItsOwn) {
  std::pmr::vector<float> vector(5000, memory_.get());
  const std::vector<float> other(5000);
  EXPECT_EQ(memory_->OffsetOf(TensorView(vector).bytes()), 0);
  EXPECT_EQ(memory_->OffsetOf(TensorView(absl::MakeConstSpan(vector).subspan(3)).bytes()), 12);
  EXPECT_EQ(memory_->OffsetOf(TensorView(other).bytes()), std::nullopt);
  EXPECT_EQ(memory_->OffsetOf(TensorView(absl::MakeConstSpan(vector.data(), 5000 + 4096)).bytes()),
            std::nullopt);
  const float* const gone = vector.data();
  std::pmr::vector<float>(memory_.get()).swap(vector);
  EXPECT_EQ(memory_->OffsetOf(TensorView(absl::MakeConstSpan(gone, 1)).bytes()), std::nullopt);
}

TEST_F(SharedMemoryTest, WhatIsFreedIsGivenBackAndNotUsedAgain) {
  uint64_t last_offset = 0;
  for (int i = 0; i < 20; ++i) {
    const std::pmr::vector<float> vector(100'000, 1.0f, memory_.get());
    EXPECT_GE(BytesHeld(), 400'000);
    EXPECT_LT(BytesHeld(), 500'000);
    EXPECT_TRUE(i == 0 || *memory_->OffsetOf(TensorView(vector).bytes()) > last_offset);
    last_offset = *memory_->OffsetOf(TensorView(vector).bytes());
  }
  EXPECT_EQ(BytesHeld(), 0);
}

TEST_F(SharedMemoryTest, CannotBeMadeToFault) {
  const std::pmr::vector<float> vector(5000, 1.0f, memory_.get());
  EXPECT_NE(ftruncate(memory_->file().get(), 0), 0);
  const absl::StatusOr<SharedMemoryView> view =
      SharedMemoryView::Map(memory_->file(), 0, 5000, sizeof(float));
  ASSERT_TRUE(view.ok());
  // The worst that the owner can do is to free the pages, which then read as zeros.
  ASSERT_EQ(fallocate(memory_->file().get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 20'480), 0);
  EXPECT_THAT(view->elements<float>(), Each(0));
}

TEST_F(SharedMemoryTest, RefusesMemoryThatMightShrink) {
  EXPECT_TRUE(CheckSealed(memory_->file()).ok());
  const FileDescriptor unsealed(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const FileDescriptor other_seal(memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(fcntl(other_seal.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  const FileDescriptor file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const FileDescriptor reading(ends[0]);
  const FileDescriptor writing(ends[1]);
  for (const FileDescriptor* refused : {&unsealed, &other_seal, &file, &reading}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(CheckSealed(*refused)));
  }
  const FileDescriptor huge(memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!huge.valid()) GTEST_SKIP() << "no huge pages here";
  ASSERT_EQ(fcntl(huge.get(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckSealed(huge)));
}

TEST_F(SharedMemoryTest, RefusesWhatLiesOutside) {
  const std::pmr::vector<float> vector(5120, memory_.get());  // 5 pages
  EXPECT_TRUE(SharedMemoryView::Map(memory_->file(), 4, 5119, sizeof(float)).ok());
  for (const uint64_t offset : {uint64_t{8}, uint64_t{20'480}, ~uint64_t{0}, ~uint64_t{3}, uint64_t{1}}) {
    const absl::Status status = SharedMemoryView::Map(memory_->file(), offset, 5119, sizeof(float)).status();
    EXPECT_TRUE(absl::IsOutOfRange(status)) << offset << " " << status;
  }
  EXPECT_TRUE(SharedMemoryView::Map(memory_->file(), 2, 10'239, sizeof(uint16_t)).ok());
  EXPECT_FALSE(SharedMemoryView::Map(memory_->file(), 2, 10'240, sizeof(uint16_t)).ok());
}

}  // namespace
}  // namespace downpour
