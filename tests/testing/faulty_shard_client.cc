// Where on the data's way: draws for every chunk what goes wrong with it; delayed chunks wait in a list.
#include "tests/testing/faulty_shard_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

constexpr double kSendOnAfterFailure = 0.5;

absl::StatusOr<PushOutcome> Apply(const FaultyNetwork::Message& message, ParameterShard* shard) {
  PushPlanes planes(message.gradient);
  for (const std::vector<float>& plane : message.further) planes.Add(plane);
  if (!message.by_segments) return shard->ApplyChunk(message.header, message.begin, planes);
  const auto size = static_cast<int64_t>(message.gradient.size());
  const auto read = [&](size_t plane, int64_t begin, absl::Span<float> copy) {
    std::copy_n(&planes[plane].floats()[begin - message.begin], copy.size(), copy.begin());
  };
  const auto in_turn = [](int64_t count, const auto& body) {
    for (int64_t i = 0; i < count; ++i) body(i);
  };
  return shard->ApplySegments(message.header, {message.begin, message.begin + size}, planes.size(), read,
                              in_turn);
}

}  // namespace

FaultyNetwork::FaultyNetwork(
    uint64_t seed, FaultRates rates, std::function<ParameterShard*(uint32_t)> shard,
    std::function<void(const Message&, const absl::StatusOr<PushOutcome>&)> delivered)
    : random_(seed, /*stream=*/1),
      rates_(rates),
      shard_(std::move(shard)),
      delivered_(std::move(delivered)) {}

absl::StatusOr<PushOutcome> FaultyNetwork::Deliver(const Message& message) {
  ParameterShard* const shard = shard_(message.shard);
  if (shard == nullptr) return absl::UnavailableError(absl::StrCat("shard ", message.shard, " is down"));
  if (message.run.has_value()) RETURN_IF_ERROR(shard->CheckRun(*message.run));
  absl::StatusOr<PushOutcome> outcome = Apply(message, shard);
  delivered_(message, outcome);
  return outcome;
}

absl::StatusOr<PushOutcome> FaultyNetwork::Send(Message message) {
  if (Happens(rates_.drop)) return absl::UnavailableError("dropped");
  if (Happens(rates_.delay)) {
    delayed_.push_back(std::move(message));
    return absl::UnavailableError("delayed");
  }
  if (Happens(rates_.duplicate)) delayed_.push_back(message);
  absl::StatusOr<PushOutcome> outcome = Deliver(message);
  if (Happens(rates_.lose_reply)) return absl::UnavailableError("reply lost");
  return outcome;
}

bool FaultyNetwork::DeliverOneDelayed() {
  if (delayed_.empty()) return false;
  std::swap(delayed_[random_.Below(delayed_.size())], delayed_.back());
  const Message message = std::move(delayed_.back());
  delayed_.pop_back();
  Deliver(message).IgnoreError();
  return true;
}

absl::StatusOr<PushOutcome> FaultyShardClient::Push(const PushHeader& header, const PushPlanes& planes) {
  RETURN_IF_ERROR(CheckSize(planes));
  PushOutcome outcome;
  absl::Status failure;
  for (int64_t at = 0; at < range().size(); at += options_.chunk_elements) {
    FaultyNetwork::Message message{.shard = options_.shard,
                                   .header = header,
                                   .begin = range().begin + at,
                                   .gradient = {},
                                   .run = options_.run,
                                   .by_segments = options_.by_segments};
    for (size_t plane = 0; plane < planes.size(); ++plane) {
      const absl::Span<const float> chunk = planes[plane].floats().subspan(at, options_.chunk_elements);
      (plane == 0 ? message.gradient : message.further.emplace_back()).assign(chunk.begin(), chunk.end());
    }
    const absl::StatusOr<PushOutcome> sent = network_->Send(std::move(message));
    if (sent.ok()) {
      outcome = *sent;
    } else if (failure.ok()) {
      failure = sent.status();
    }
    if (!failure.ok() && !network_->Happens(kSendOnAfterFailure)) break;
  }
  RETURN_IF_ERROR(failure);
  return outcome;
}

absl::StatusOr<uint64_t> FaultyShardClient::Fetch(MutableTensorView parameters) {
  RETURN_IF_ERROR(CheckSize(parameters.size()));
  ParameterShard* const shard = network_->shard(options_.shard);
  if (shard == nullptr) return absl::UnavailableError(absl::StrCat("shard ", options_.shard, " is down"));
  if (options_.run.has_value()) RETURN_IF_ERROR(shard->CheckRun(*options_.run));
  const uint64_t version = shard->version();
  RETURN_IF_ERROR(shard->Read(range(), parameters));
  return version;
}

}  // namespace downpour
