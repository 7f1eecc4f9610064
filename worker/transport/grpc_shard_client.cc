// Where on the data's way: drives a streaming call, and prepares one chunk while the one before travels.
#include "worker/transport/grpc_shard_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/grpc_chunk.h"
#include "common/rpc/raw_call.h"
#include "common/status_macros.h"
#include "common/wire/chunk_codec.h"
#include "common/wire/gradient_packing.h"
#include "common/wire/run_identity.h"
#include "proto/parameter_server.pb.h"

namespace downpour {
namespace {

// Lends the caller's memory to gRPC, which sends from it.
class LentMemory {
 public:
  // Blocks until gRPC has given all slices back.
  ~LentMemory() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](LentMemory* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return self->lent_ == 0; },
        this));
  }

  grpc::Slice Lend(absl::string_view memory) {
    {
      absl::MutexLock lock(&mutex_);
      ++lent_;
    }
    // gRPC only reads what it sends.
    return {const_cast<char*>(memory.data()), memory.size(), &LentMemory::TakeBack, this};
  }

 private:
  static void TakeBack(void* self) {
    auto* lent = static_cast<LentMemory*>(self);
    absl::MutexLock lock(&lent->mutex_);
    --lent->lent_;
  }

  absl::Mutex mutex_;
  int64_t lent_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

GrpcShardClient::GrpcShardClient(const Options& options)
    : options_(options),
      jitter_(options.jitter_seed),
      channel_(ConnectTo(options.address, options.peer, options.connection)) {}

absl::StatusOr<PushOutcome> GrpcShardClient::Push(const PushHeader& header, const PushPlanes& planes) {
  RETURN_IF_ERROR(CheckSize(planes));
  return CallWithRetries(options_.retry, options_.clock, &jitter_, [&] { return TryPush(header, planes); });
}

absl::StatusOr<uint64_t> GrpcShardClient::Fetch(MutableTensorView parameters) {
  RETURN_IF_ERROR(CheckSize(parameters.size()));
  return CallWithRetries(options_.retry, options_.clock, &jitter_, [&] { return TryFetch(parameters); });
}

absl::StatusOr<PushOutcome> GrpcShardClient::TryPush(const PushHeader& header, const PushPlanes& planes) {
  RETURN_IF_ERROR(AwaitConnection(*channel_, options_.address));
  LentMemory lent;
  RawCall call(channel_, "/downpour.ParameterServer/Push", options_.rpc_timeout);
  const TensorView gradient = planes.gradient();
  const bool pack = options_.pack_gradients && gradient.is_bfloat16();
  const PushIdentity::Elements elements = pack                     ? PushIdentity::PACKED
                                          : gradient.is_bfloat16() ? PushIdentity::BFLOAT16
                                                                   : PushIdentity::FLOAT32;
  PushChunk chunk;
  FillPushIdentity(options_.run, header, elements, planes.size(), chunk.mutable_header());
  const auto size = static_cast<int64_t>(gradient.size());
  int64_t begin = 0;
  size_t plane = planes.size();  // one more than the next chunk's; the gradient ends its keys
  const auto next_message = [&] {
    --plane;
    const TensorView piece = planes[plane][{begin, std::min(begin + kChunkElements, size)}];
    const int64_t key = options_.range.begin + begin;
    chunk.set_begin(key);
    chunk.set_plane(static_cast<uint32_t>(plane));
    const grpc::ByteBuffer message = EncodeChunk(
        chunk, {pack ? grpc::Slice(PackGradient(key, piece.bfloats())) : lent.Lend(piece.bytes())});
    if (plane == 0) {
      begin += static_cast<int64_t>(piece.size());
      plane = planes.size();
    }
    return message;
  };
  // The shard reads the header before it has a slot for the push, so no gradient goes with it.
  grpc::ByteBuffer message = SerializeMessage(chunk);
  chunk.clear_header();
  for (bool last = false, written = true; written && !last;) {
    last = begin == size;
    call.StartWrite(message, last);
    if (!last) message = next_message();  // while that one is being sent
    written = call.Await();
  }
  grpc::ByteBuffer bytes;
  call.StartRead(&bytes);
  const bool replied = call.Await();
  RETURN_IF_ERROR(call.Finish());
  PushReply reply;
  if (!replied) return absl::InternalError("the shard ended a push without a reply");
  RETURN_IF_ERROR(ParseMessage(&bytes, &reply));
  return PushOutcome{reply.version(), reply.staleness(), reply.duplicate(), reply.late()};
}

absl::StatusOr<uint64_t> GrpcShardClient::TryFetch(MutableTensorView parameters) {
  RETURN_IF_ERROR(AwaitConnection(*channel_, options_.address));
  grpc::ByteBuffer next;  // outlives `call`, which may still be reading into it when this function returns
  RawCall call(channel_, "/downpour.ParameterServer/Fetch", options_.rpc_timeout);
  FetchRequest request;
  FillRunIdentity(options_.run, request.mutable_run());
  request.set_bfloat16(parameters.is_bfloat16());
  call.StartWrite(SerializeMessage(request), /*last=*/true);
  call.Await();
  const absl::Span<char> memory = parameters.bytes();
  const size_t element_bytes = parameters.element_bytes();
  uint64_t version = 0;
  size_t filled = 0;  // in bytes
  call.StartRead(&next);
  while (call.Await()) {
    grpc::ByteBuffer bytes;
    bytes.Swap(&next);
    call.StartRead(&next);  // while this one is copied
    FetchChunk chunk;
    const absl::Span<char> destination = memory.subspan(filled, kChunkBytes);
    const absl::StatusOr<absl::string_view> payload = DecodeChunk(&bytes, destination, &chunk);
    if (!payload.ok()) return absl::DataLossError(payload.status().message());
    const int64_t wanted = options_.range.begin + static_cast<int64_t>(filled / element_bytes);
    if (static_cast<int64_t>(chunk.begin()) != wanted || payload->empty() ||
        payload->size() % element_bytes != 0) {
      return absl::DataLossError(absl::StrCat("fetched ", payload->size(), " bytes from key ", chunk.begin(),
                                              ", want some elements of ", element_bytes, " from key ",
                                              wanted));
    }
    if (payload->data() != destination.data())
      std::copy(payload->begin(), payload->end(), destination.begin());
    if (filled == 0) version = chunk.version();
    filled += payload->size();
  }
  RETURN_IF_ERROR(call.Finish());
  if (filled == memory.size()) return version;
  return absl::DataLossError(absl::StrCat("fetched ", filled, " bytes, want ", memory.size()));
}

}  // namespace downpour
