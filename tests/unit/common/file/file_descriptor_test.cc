// Where on the data's way: files at rest and sockets; when an open one is closed.
#include "common/file/file_descriptor.h"

#include <fcntl.h>

#include "gtest/gtest.h"

namespace downpour {
namespace {

bool IsOpen(int descriptor) { return fcntl(descriptor, F_GETFD) != -1; }
FileDescriptor OpenNull() { return FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(FileDescriptorTest, IsClosedOnceByItsLastOwner) {
  int descriptor;
  {
    FileDescriptor first = OpenNull();
    ASSERT_TRUE(first.valid());
    descriptor = first.get();
    {
      const FileDescriptor second = std::move(first);
      EXPECT_EQ(second.get(), descriptor);
      EXPECT_TRUE(IsOpen(descriptor));
    }
    EXPECT_FALSE(IsOpen(descriptor));
  }
  EXPECT_FALSE(FileDescriptor().valid());
}

TEST(FileDescriptorTest, CloseClosesNowAndSaysWhetherItWorked) {
  FileDescriptor file = OpenNull();
  const int descriptor = file.get();
  EXPECT_TRUE(file.Close());
  EXPECT_FALSE(file.valid());
  EXPECT_FALSE(IsOpen(descriptor));
  EXPECT_FALSE(file.Close()) << "there is none";
}

}  // namespace
}  // namespace downpour
