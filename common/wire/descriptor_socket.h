// Where on the data's way: between replica and shard of one host; hands a file descriptor from one process to
// another.
#ifndef DOWNPOUR_COMMON_WIRE_DESCRIPTOR_SOCKET_H_
#define DOWNPOUR_COMMON_WIRE_DESCRIPTOR_SOCKET_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file/file_descriptor.h"

namespace downpour {

// The receiver's end: a Unix socket under a name that nobody can guess. Its file is there while this lives.
class DescriptorSocket {
 public:
  // UNAVAILABLE: there is no socket to be had in `directory`; the message says why.
  static absl::StatusOr<std::unique_ptr<DescriptorSocket>> Listen(const std::string& directory);
  ~DescriptorSocket();
  DescriptorSocket(const DescriptorSocket&) = delete;
  DescriptorSocket& operator=(const DescriptorSocket&) = delete;

  const std::string& name() const { return name_; }  // the file's, in the directory
  // What SendDescriptor() has sent by now; does not wait. NOT_FOUND: nothing.
  absl::StatusOr<FileDescriptor> Receive() const;

 private:
  DescriptorSocket(const std::string& directory, const std::string& name, FileDescriptor listener)
      : path_(directory + "/" + name), name_(name), listener_(std::move(listener)) {}

  const std::string path_;
  const std::string name_;
  const FileDescriptor listener_;
};

// Whoever may write to the socket's file is on its host, whatever directory it sees it in. UNAVAILABLE: there
// is no such socket in `directory`, or nobody listens at it, or not to this user; the message says which.
absl::Status SendDescriptor(const std::string& directory, const std::string& name,
                            const FileDescriptor& sent);

// Removes what processes that were killed left in `directory`: sockets of Listen() at which nobody listens.
void RemoveDeadSockets(const std::string& directory);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_DESCRIPTOR_SOCKET_H_
