// Where on the data's way: guards the coordinator against messages of any bytes, in any order, by anybody.
// An input is a list of messages; each is the number of its RPC (one byte), its size (two bytes, the high one
// first) and its bytes.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "server/coordinator/coordinator.h"
#include "tests/fuzz/input.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

constexpr int kRpcs = 9;

RunDescription SmallRun() {
  RunDescription description;
  description.mutable_data()->set_slice_frames(200);
  description.mutable_network()->add_hidden_width(8);
  description.mutable_cluster()->set_shards(1);
  description.mutable_budget()->set_updates(100);
  description.mutable_evaluation()->set_every_updates(10);
  return description;
}

class FuzzedCoordinator {
 public:
  FuzzedCoordinator() : coordinator_(*Coordinator::Create(options_)) {}

  void Call(int rpc, absl::string_view bytes) {
    clock_.Advance(absl::Seconds(1));
    switch (rpc) {
      case 0:
        return Send(&Coordinator::Describe, bytes);
      case 1:
        return Send(&Coordinator::RegisterShard, bytes);
      case 2:
        return Send(&Coordinator::Join, bytes);
      case 3:
        return Send(&Coordinator::Report, bytes);
      case 4:
        return Send(&Coordinator::Leave, bytes);
      case 5:
        return Send(&Coordinator::NextEvaluation, bytes);
      case 6:
        return Send(&Coordinator::RecordEvaluation, bytes);
      case 7:
        return Send(&Coordinator::GetOverview, bytes);
      default:
        return Send(&Coordinator::GetRunStatus, bytes);
    }
  }

  // Whatever was said, the numbers can be, and the coordinator can be restarted.
  void CheckState() {
    coordinator_->RemoveDeadReplicas();
    coordinator_->LookForLostShards();
    const RunStatus status = *coordinator_->GetRunStatus({});
    DOWNPOUR_CHECK(status.updates() >= 0 && status.updates() <= 3 * status.frames());
    DOWNPOUR_CHECK(std::isfinite(status.train_loss()) && std::isfinite(status.epoch()));
    const TestSetResult& test = status.last_evaluation().test();
    DOWNPOUR_CHECK(test.correct() >= 0 && test.correct() <= test.frames() && std::isfinite(test.loss_sum()));
    const CoordinatorCheckpoint checkpoint = coordinator_->Checkpoint();
    const auto restored = Coordinator::Restore(options_, checkpoint);
    DOWNPOUR_CHECK(restored.ok());
    DOWNPOUR_CHECK((*restored)->Checkpoint().SerializeAsString() == checkpoint.SerializeAsString());
  }

 private:
  template <typename Request, typename Reply>
  void Send(absl::StatusOr<Reply> (Coordinator::*method)(const Request&), absl::string_view bytes) {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    (coordinator_.get()->*method)(request).IgnoreError();
  }

  FakeClock clock_;
  const Coordinator::Options options_ = {SmallRun(), "fuzz", &clock_, &clock_};
  std::unique_ptr<Coordinator> coordinator_;
};

}  // namespace
}  // namespace downpour

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  SilenceLogs();
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  FuzzedCoordinator coordinator;
  while (input.size() >= 3) {
    const int rpc = static_cast<uint8_t>(input[0]) % kRpcs;
    input.remove_prefix(1);
    coordinator.Call(rpc, TakeMessage(&input));
  }
  coordinator.CheckState();
  return 0;
}
