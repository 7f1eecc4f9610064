// Where on the data's way: for tests, between replica and shard: a wire that drops, duplicates, delays and
// reorders chunks.
#ifndef DOWNPOUR_TESTS_TESTING_FAULTY_SHARD_CLIENT_H_
#define DOWNPOUR_TESTS_TESTING_FAULTY_SHARD_CLIENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "server/shard/parameter_shard.h"
#include "worker/replica/shard_client.h"

namespace downpour {

// Probabilities that hold for each message.
struct FaultRates {
  double drop = 0.05;        // a chunk never arrives
  double delay = 0.05;       // a chunk arrives after the sender has given it up, in any order with others
  double duplicate = 0.05;   // a chunk arrives now, and once more later
  double lose_reply = 0.05;  // a chunk arrives, but its sender gets no answer
};

// The network of a simulated cluster, with the messages that are under way. The same seed gives the same
// faults. Not thread-safe.
class FaultyNetwork {
 public:
  struct Message {
    uint32_t shard = 0;
    PushHeader header;
    int64_t begin = 0;
    std::vector<float> gradient;
    std::optional<RunKey> run = std::nullopt;      // if set, it is checked first, as the services do
    bool by_segments = false;                      // ApplySegments() instead of ApplyChunk()
    std::vector<std::vector<float>> further = {};  // planes of the same keys
  };
  // `shard` returns the shard of an index, which may be another object after a crash, or null if it is down.
  // `delivered` is called after each chunk that has reached a shard.
  FaultyNetwork(uint64_t seed, FaultRates rates, std::function<ParameterShard*(uint32_t)> shard,
                std::function<void(const Message&, const absl::StatusOr<PushOutcome>&)> delivered);

  // UNAVAILABLE: the message was dropped or delayed, the reply was lost, or the shard is down. Otherwise
  // returns the shard's answer.
  absl::StatusOr<PushOutcome> Send(Message message);
  // Delivers one delayed message, drawn at random; returns false if there is none.
  bool DeliverOneDelayed();

  ParameterShard* shard(uint32_t index) const { return shard_(index); }
  bool Happens(double probability) { return random_.Uniform() < probability; }

 private:
  absl::StatusOr<PushOutcome> Deliver(const Message& message);

  Random random_;
  const FaultRates rates_;
  const std::function<ParameterShard*(uint32_t)> shard_;
  const std::function<void(const Message&, const absl::StatusOr<PushOutcome>&)> delivered_;
  std::vector<Message> delayed_;
};

// A ShardClient over such a network. As in a pipeline, the chunks after one that failed may still be sent.
class FaultyShardClient final : public ShardClient {
 public:
  // What all its messages have in common.
  struct Options {
    uint32_t shard = 0;
    KeyRange range;
    int64_t chunk_elements = 1;
    std::optional<RunKey> run = std::nullopt;
    bool by_segments = false;
  };
  FaultyShardClient(FaultyNetwork* network, Options options)
      : network_(network), options_(std::move(options)) {}

  KeyRange range() const override { return options_.range; }
  absl::StatusOr<PushOutcome> Push(const PushHeader& header, const PushPlanes& planes) override;
  absl::StatusOr<uint64_t> Fetch(MutableTensorView parameters) override;

 private:
  FaultyNetwork* const network_;
  const Options options_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_FAULTY_SHARD_CLIENT_H_
