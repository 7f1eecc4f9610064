// Where on the data's way: guards deploy/in_process/: a virtual cluster's snapshots reach its
// checkpoint file.
#include "deploy/in_process/virtual_cluster_checkpoint.h"

#include <atomic>
#include <filesystem>
#include <string>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/testing/wait_for.h"

namespace downpour {
namespace {

constexpr size_t kCopyNothing = 0;

std::string FreshPath() {
  std::string path = ::testing::TempDir() + "/virtual_cluster_checkpoint_test.ckpt";
  std::filesystem::remove(path);
  return path;
}

VirtualClusterSnapshot SnapshotAt(int64_t now_ns, absl::string_view parameters) {
  VirtualClusterSnapshot snapshot;
  snapshot.header.set_now_ns(now_ns);
  snapshot.header.add_replicas();
  snapshot.replicas.emplace_back().parameters = parameters;
  return snapshot;
}

// "<now_ns> <parameters of replica 0>" of the file, or why it cannot be read.
std::string Written(const std::string& path) {
  const auto snapshot = ReadVirtualCluster(path);
  if (!snapshot.ok()) return snapshot.status().ToString();
  return std::to_string(snapshot->header.now_ns()) + " " + std::string(snapshot->replicas[0].parameters);
}

TEST(VirtualClusterCheckpointerTest, WithoutAPathItIsNeverReady) {
  const VirtualClusterCheckpointer checkpointer("", [] { return absl::OkStatus(); });
  EXPECT_FALSE(checkpointer.enabled());
  EXPECT_FALSE(checkpointer.ready());
}

TEST(VirtualClusterCheckpointerTest, TheCallersMemoryMayChangeWhileTheCopyIsWritten) {
  const std::string path = FreshPath();
  absl::Notification go_on;
  VirtualClusterCheckpointer checkpointer(path, [&] {
    go_on.WaitForNotification();
    return absl::OkStatus();
  });
  ASSERT_TRUE(checkpointer.ready());
  std::string memory = "before";
  checkpointer.WriteAside(SnapshotAt(1, memory));
  memory = "after!";
  EXPECT_FALSE(checkpointer.ready()) << "while a write is under way";
  EXPECT_FALSE(std::filesystem::exists(path));
  go_on.Notify();
  EXPECT_TRUE(WaitFor([&] { return checkpointer.ready(); }));
  EXPECT_EQ(Written(path), "1 before");
}

TEST(VirtualClusterCheckpointerTest, WhatIsTooLargeToCopyIsWrittenAtOnce) {
  const std::string path = FreshPath();
  VirtualClusterCheckpointer checkpointer(path, [] { return absl::OkStatus(); });
  checkpointer.WriteAside(SnapshotAt(1, "large"), kCopyNothing);
  EXPECT_TRUE(checkpointer.ready());
  EXPECT_EQ(Written(path), "1 large");
}

TEST(VirtualClusterCheckpointerTest, TheLastSnapshotIsWrittenAfterTheOneUnderWay) {
  const std::string path = FreshPath();
  std::atomic<int> writes = 0;
  VirtualClusterCheckpointer checkpointer(path, [&] {
    ++writes;
    return absl::OkStatus();
  });
  checkpointer.WriteAside(SnapshotAt(1, "first"));
  EXPECT_EQ(checkpointer.WriteNow(SnapshotAt(2, "last")), absl::OkStatus());
  EXPECT_EQ(writes, 2);
  EXPECT_EQ(Written(path), "2 last");
}

TEST(VirtualClusterCheckpointerTest, WhereBeforeWriteFailsTheLastGoodFileStays) {
  const std::string path = FreshPath();
  absl::Status before = absl::OkStatus();
  VirtualClusterCheckpointer checkpointer(path, [&] { return before; });
  ASSERT_EQ(checkpointer.WriteNow(SnapshotAt(1, "good")), absl::OkStatus());
  before = absl::ResourceExhaustedError("no space for the log");
  checkpointer.WriteAside(SnapshotAt(2, "large"), kCopyNothing);
  EXPECT_EQ(checkpointer.WriteNow(SnapshotAt(3, "last")), before);
  EXPECT_EQ(Written(path), "1 good");
}

}  // namespace
}  // namespace downpour
