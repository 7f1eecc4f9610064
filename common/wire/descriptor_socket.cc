// Where on the data's way: a Unix socket under a random name takes one message, which carries the descriptor.
#include "common/wire/descriptor_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/file/file.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr char kPrefix[] = "downpour-";
constexpr char kSuffix[] = ".socket";

std::string RandomName() {
  std::random_device device;
  return absl::StrFormat("%s%08x%08x%08x%08x%s", kPrefix, device(), device(), device(), device(), kSuffix);
}

bool IsSocketName(absl::string_view name) {
  return absl::StartsWith(name, kPrefix) && absl::EndsWith(name, kSuffix) && !absl::StrContains(name, '/');
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::UnavailableError(absl::StrCat("the path ", path, " has ", path.size(),
                                               " bytes, and a socket's has at most ",
                                               sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// The socket never blocks: sender and receiver tell each other over gRPC when something was sent.
FileDescriptor NewSocket() {
  return FileDescriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

absl::StatusOr<FileDescriptor> Connect(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  FileDescriptor connection = NewSocket();
  if (connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return FileError("connect to", path);
  }
  return connection;
}

// A message of one byte, with room for one descriptor in its control data.
struct Message {
  Message() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = CMSG_LEN(sizeof(int));  // CMSG_SPACE() would have room for two
  }
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
};

}  // namespace

absl::StatusOr<std::unique_ptr<DescriptorSocket>> DescriptorSocket::Listen(const std::string& directory) {
  const std::string name = RandomName();
  const std::string path = absl::StrCat(directory, "/", name);
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  FileDescriptor listener = NewSocket();
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return FileError("make", path);
  }
  auto result = absl::WrapUnique(new DescriptorSocket(directory, name, std::move(listener)));
  // Before anybody can connect: this user's processes only.
  if (chmod(path.c_str(), 0600) != 0 || listen(result->listener_.get(), 1) != 0) {
    return FileError("listen at", path);
  }
  return result;
}

DescriptorSocket::~DescriptorSocket() { unlink(path_.c_str()); }

absl::StatusOr<FileDescriptor> DescriptorSocket::Receive() const {
  const FileDescriptor connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  Message message;
  if (!connection.valid() || recvmsg(connection.get(), &message.header, MSG_CMSG_CLOEXEC) != 1) {
    return absl::NotFoundError("no file descriptor was sent");
  }
  const cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
    return absl::NotFoundError("a message without a file descriptor was sent");
  }
  int received = -1;
  std::memcpy(&received, CMSG_DATA(control), sizeof(received));
  return FileDescriptor(received);
}

absl::Status SendDescriptor(const std::string& directory, const std::string& name,
                            const FileDescriptor& sent) {
  if (!IsSocketName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("the socket's name is '", absl::CHexEscape(name),
                                                   "', want ", kPrefix, "*", kSuffix, " without a slash"));
  }
  const std::string path = absl::StrCat(directory, "/", name);
  ASSIGN_OR_RETURN(const FileDescriptor connection, Connect(path));
  Message message;
  cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  const int descriptor = sent.get();
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof(descriptor));
  if (sendmsg(connection.get(), &message.header, MSG_NOSIGNAL) != 1) return FileError("send to", path);
  return absl::OkStatus();
}

void RemoveDeadSockets(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!IsSocketName(name)) continue;
    // A socket that another shard is just making refuses too; if removed, its client goes over gRPC instead.
    if (!Connect(entry.path().string()).ok() && errno == ECONNREFUSED) unlink(entry.path().c_str());
  }
}

}  // namespace downpour
