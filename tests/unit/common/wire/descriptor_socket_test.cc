// Where on the data's way: between replica and shard of one host; a descriptor changes hands.
#include "common/wire/descriptor_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

using ::testing::HasSubstr;

class DescriptorSocketTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  int64_t Files() const {
    return std::distance(std::filesystem::directory_iterator(directory_),
                         std::filesystem::directory_iterator());
  }
  const std::string directory_ = absl::StrCat("/tmp/downpour_socket_test_", getpid());
};

TEST_F(DescriptorSocketTest, HandsOneOver) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const FileDescriptor reading(ends[0]);
  const FileDescriptor writing(ends[1]);
  const auto socket = DescriptorSocket::Listen(directory_);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_TRUE(absl::IsNotFound((*socket)->Receive().status()));
  ASSERT_TRUE(SendDescriptor(directory_, (*socket)->name(), writing).ok());
  const absl::StatusOr<FileDescriptor> received = (*socket)->Receive();
  ASSERT_TRUE(received.ok()) << received.status();
  EXPECT_NE(received->get(), writing.get());
  ASSERT_EQ(write(received->get(), "x", 1), 1);
  char byte = 0;
  ASSERT_EQ(read(reading.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

TEST_F(DescriptorSocketTest, GoesToNoSocketOfAnotherFolder) {
  const std::string sub = directory_ + "/sub";
  std::filesystem::create_directories(sub);
  const auto socket = DescriptorSocket::Listen(directory_);
  ASSERT_TRUE(socket.ok());
  for (const std::string& name : {"../" + (*socket)->name(), "downpour-/../../" + (*socket)->name(),
                                  std::string("other.socket"), std::string()}) {
    const absl::Status sent = SendDescriptor(sub, name, FileDescriptor(dup(0)));
    EXPECT_EQ(sent.code(), absl::StatusCode::kInvalidArgument) << sent;
    EXPECT_THAT(std::string(sent.message()), HasSubstr(name));
  }
  EXPECT_TRUE(absl::IsNotFound((*socket)->Receive().status()));
}

TEST_F(DescriptorSocketTest, LeavesNothing) {
  {
    const auto socket = DescriptorSocket::Listen(directory_);
    ASSERT_TRUE(socket.ok());
    EXPECT_EQ(Files(), 1);
    struct stat state {};
    ASSERT_EQ(stat(absl::StrCat(directory_, "/", (*socket)->name()).c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777, 0600);
  }
  EXPECT_EQ(Files(), 0);
}

TEST_F(DescriptorSocketTest, SaysWhyThereIsNone) {
  const FileDescriptor sent(dup(0));
  const auto socket = DescriptorSocket::Listen(directory_);
  ASSERT_TRUE(socket.ok());
  const absl::Status elsewhere = SendDescriptor("/proc", (*socket)->name(), sent);
  EXPECT_TRUE(absl::IsUnavailable(elsewhere));
  EXPECT_THAT(elsewhere.message(), HasSubstr("/proc/"));
  const absl::Status no_folder = DescriptorSocket::Listen(directory_ + "/none").status();
  EXPECT_TRUE(absl::IsUnavailable(no_folder));
  EXPECT_THAT(no_folder.message(), HasSubstr("/none/"));
  const absl::Status too_long = DescriptorSocket::Listen("/tmp/" + std::string(100, 'x')).status();
  EXPECT_TRUE(absl::IsUnavailable(too_long));
  EXPECT_THAT(too_long.message(), HasSubstr("at most 107"));
}

TEST_F(DescriptorSocketTest, RemovesTheDeadAndNothingElse) {
  const auto alive = DescriptorSocket::Listen(directory_);
  ASSERT_TRUE(alive.ok());
  const std::ofstream named_alike(directory_ + "/downpour-x.socket");
  const std::ofstream other(directory_ + "/other.socket");
  {
    // What kill -9 leaves: the file is there, and nobody listens.
    const auto dead = DescriptorSocket::Listen(directory_);
    ASSERT_TRUE(dead.ok());
    std::filesystem::create_hard_link(directory_ + "/" + (*dead)->name(),
                                      directory_ + "/downpour-dead.socket");
  }
  ASSERT_EQ(Files(), 4);
  RemoveDeadSockets(directory_);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/downpour-dead.socket"));
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/other.socket"));
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/" + (*alive)->name()));
  RemoveDeadSockets(directory_ + "/none");
}

}  // namespace
}  // namespace downpour
