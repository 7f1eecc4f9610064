// Where on the data's way: guards what a standby takes from its primary against messages of any bytes.
// An input is a list of FollowReply; each is its size (two bytes, the high one first) and its bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "server/shard/followed_shard.h"
#include "tests/fuzz/input.h"

namespace downpour {
namespace {

ParameterShard::Options Options() {
  ParameterShard::Options options;
  options.layout = *ParameterLayout::Create({{"weights", {12}}});
  options.run = {"run", 7};
  options.range = {4, 12};
  options.optimizer.set_kind(OptimizerDescription::ADAGRAD);
  options.segment_elements = 4;
  return options;
}

// What a standby has taken is a shard that another one can take over from it.
void CheckShard(const FollowedShard& followed) {
  if (followed.shard() == nullptr) return;
  DOWNPOUR_CHECK(ParameterShard::Restore(Options(), followed.shard()->Snapshot()).ok());
}

}  // namespace
}  // namespace downpour

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  SilenceLogs();
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  FollowedShard followed(Options());
  while (input.size() >= 2) {
    const absl::string_view message = TakeMessage(&input);
    FollowReply reply;
    if (!reply.ParseFromArray(message.data(), static_cast<int>(message.size()))) break;
    std::vector<float> aligned(reply.payload().size() / sizeof(float) + 1);
    std::copy_n(reply.payload().data(), reply.payload().size(), reinterpret_cast<char*>(aligned.data()));
    const absl::string_view payload(reinterpret_cast<const char*>(aligned.data()), reply.payload().size());
    if (!followed.Take(reply, payload).ok()) break;
  }
  CheckShard(followed);
  return 0;
}
