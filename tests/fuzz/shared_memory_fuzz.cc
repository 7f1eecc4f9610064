// Where on the data's way: guards a shard's session of shared memory against requests of any bytes.
// An input is a list of requests; each is its size (two bytes, the high one first) and its bytes. After the
// first, the replica's memory is sent.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "server/service/shared_memory_session.h"
#include "tests/fuzz/input.h"
#include "tests/testing/integer_shard.h"

namespace downpour {
namespace {

constexpr int64_t kSize = 1000;

std::string MakeFolder() {
  std::string name = std::filesystem::temp_directory_path() / "downpour_fuzz_XXXXXX";
  DOWNPOUR_CHECK(mkdtemp(name.data()) != nullptr);
  static const std::string folder = name;
  std::atexit([] { std::filesystem::remove_all(folder); });
  return name;
}

void InTurn(int64_t n, const std::function<void(int64_t)>& f) {
  for (int64_t i = 0; i < n; ++i) f(i);
}

class FuzzedSession {
 public:
  FuzzedSession() : memory_(*SharedMemoryResource::Create()), elements_(2 * kSize, 1.0f, memory_.get()) {
    shard_.Set(IntegerShard(kSize));
  }

  void Ask(absl::string_view bytes) {
    SharedMemoryRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    SharedMemoryReply reply;
    const absl::Status status = session_.Answer(request, &reply);
    if (!reply.socket().empty())
      DOWNPOUR_CHECK(SendDescriptor(folder_, reply.socket(), memory_->file()).ok());
    if (status.ok() && request.has_push() && !reply.push().duplicate()) ++applied_;
  }
  // Each push that the session took is applied once, to every key.
  void CheckShard() const {
    const std::shared_ptr<ParameterShard> shard = *shard_.Get();
    DOWNPOUR_CHECK(shard->version() == applied_);
  }

 private:
  static inline const std::string folder_ = MakeFolder();
  const std::unique_ptr<SharedMemoryResource> memory_;
  const std::pmr::vector<float> elements_;
  ServedShard shard_;
  SharedMemorySession session_{{&shard_, folder_, InTurn, Caller::Unproven(), [] { return false; }}};
  uint64_t applied_ = 0;
};

}  // namespace
}  // namespace downpour

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  SilenceLogs();
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  FuzzedSession session;
  while (input.size() >= 2) session.Ask(TakeMessage(&input));
  session.CheckShard();
  return 0;
}
