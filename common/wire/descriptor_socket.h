// Where on the data's way: between replica and shard of one host; hands an open file from one to the other.
#ifndef DOWNPOUR_COMMON_WIRE_DESCRIPTOR_SOCKET_H_
#define DOWNPOUR_COMMON_WIRE_DESCRIPTOR_SOCKET_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/file/file_descriptor.h"

namespace downpour {

// The receiver's end: a Unix socket under a name that nobody can guess. The destructor removes its file.
class DescriptorSocket {
 public:
  // UNAVAILABLE: a socket cannot be made in `directory`; the message says why.
  static absl::StatusOr<std::unique_ptr<DescriptorSocket>> Listen(const std::string& directory);
  ~DescriptorSocket();
  DescriptorSocket(const DescriptorSocket&) = delete;
  DescriptorSocket& operator=(const DescriptorSocket&) = delete;

  const std::string& name() const { return name_; }  // of the socket's file in the directory
  // Returns what SendDescriptor() has sent. Does not wait; NOT_FOUND: nothing was sent yet.
  absl::StatusOr<FileDescriptor> Receive() const;

 private:
  DescriptorSocket(const std::string& directory, const std::string& name, FileDescriptor listener)
      : path_(directory + "/" + name), name_(name), listener_(std::move(listener)) {}

  const std::string path_;
  const std::string name_;
  const FileDescriptor listener_;
};

// Sends a copy of `sent` to the socket `name` in `directory`. A process that can write to the socket's file
// is on the receiver's host, also where it sees the folder under another name. UNAVAILABLE: there is no such
// socket, nobody listens at it, or this user may not write to it; the message says which. INVALID_ARGUMENT:
// `name`, which comes from the peer, is none that Listen() makes.
absl::Status SendDescriptor(const std::string& directory, const std::string& name,
                            const FileDescriptor& sent);

// Removes the sockets of Listen() in `directory` whose processes were killed: nobody listens at them.
void RemoveDeadSockets(const std::string& directory);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_DESCRIPTOR_SOCKET_H_
