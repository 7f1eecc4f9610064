// Where on the data's way: the shard's end of the wire; reads the chunks of a push and has them applied.
#include <algorithm>
#include <utility>

#include "common/rpc/grpc_chunk.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/wire/gradient_packing.h"
#include "common/wire/run_identity.h"
#include "server/service/parameter_service.h"
#include "server/service/stream_slot.h"

namespace downpour {

static_assert(ParameterShard::kSegmentElements == kChunkElements, "a chunk takes the lock of one segment");

// One push. Slot -> StartRead -> gRPC -> OnReadDone -> executor: Apply -> the next slot, until the stream
// ends or a chunk is refused. The next chunk is read while one is applied. Only the first message is read and
// applied without a slot, so that a stream that sends nothing has none. In a push of several planes a slot
// is for all chunks of the same keys, of which the last is applied with the others, held until then. Deletes
// itself in OnDone().
class ParameterService::PushReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer>,
                                            private StallWatch::Stream {
 public:
  PushReactor(ParameterService* service, grpc::CallbackServerContext* context, grpc::ByteBuffer* reply)
      : service_(service),
        context_(context),
        reply_(reply),
        slot_(&service->pushes_, service->options_.max_pushes),
        place_(service->chunks_in_.Arrive(context->peer())) {
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      if (!slot_.granted()) status_ = TooMany("pushes", service->options_.max_pushes);
    });
  }

  void OnReadDone(bool ok) override {
    service_->stalls_.Done(this);
    if (!ok && reads_ > 1) ReleaseChunk();
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      reading_ = false;
      (ok ? read_ : over_) = true;
    });
  }

  void OnCancel() override {
    if (service_->chunks_in_.GiveUp(place_)) StopReading();
  }

  void OnDone() override {
    service_->chunks_in_.Leave(place_);
    delete this;
  }

 private:
  // Calls `change`, which changes the state, and then starts what can be started: reading, applying, or the
  // end. It does so without the lock, since gRPC may call back from within. As long as something is under way
  // the reactor lives; the call that finds nothing under way any more ends it.
  template <typename Change>
  void Proceed(Change change) {
    bool apply, read, end;
    {
      absl::MutexLock lock(&mutex_);
      change();
      apply = read_ && !applying_ && status_.ok();
      if (apply) {
        message_.Swap(&next_message_);
        read_ = false;
        applying_ = true;
      }
      read = !read_ && !reading_ && !over_ && status_.ok();
      if (read) reading_ = true;
      end = !applying_ && !reading_ && !kept_;
    }
    if (read) Read();
    if (apply && !service_->executor_.TryRun([this] { Apply(); })) {
      Applied(TooMany("tasks", service_->options_.max_pushes));
    }
    if (end) End();
  }

  void Read() {
    const auto start = [this] {
      service_->stalls_.Begin(this, this);
      StartRead(&next_message_);
    };
    const size_t message = reads_++;
    if (message == 0 || (message > 1 && (message - 1) % planes_ > 0)) return start();
    if (!service_->chunks_in_.Acquire(place_, start)) StopReading();
  }
  // Instead of a read that has begun to wait for its slot.
  void StopReading() {
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      reading_ = false;
      status_.Update(absl::CancelledError("the push is cancelled"));
    });
  }
  void ReleaseChunk() { service_->chunks_in_.Release(place_.peer); }

  void Keep() override {
    absl::MutexLock lock(&mutex_);
    kept_ = true;
  }
  void Cancel() override {
    context_->TryCancel();
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { kept_ = false; });
  }

  void Apply() { Applied(ApplyMessage()); }

  void Applied(const absl::Status& status) {
    message_.Clear();
    if (applied_ > 0 && applied_ % planes_ == 0) ReleaseChunk();
    ++applied_;
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      applying_ = false;
      status_.Update(status);
    });
  }

  void End() ABSL_NO_THREAD_SAFETY_ANALYSIS {  // nothing else is under way, so no lock is needed
    if (read_ && reads_ > 1) ReleaseChunk();
    if (status_.ok()) status_ = Reply();
    if (!status_.ok()) return Answer();
    shard_->log().WhenSafe([this](const absl::Status& safe) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      status_ = safe;
      Answer();
    });
  }
  void Answer() ABSL_NO_THREAD_SAFETY_ANALYSIS {  // likewise
    if (status_.ok()) service_->transfers_.pushes.Count(bytes_, service_->options_.clock->Now() - began_);
    slot_.Release();
    Finish(ToGrpcStatus(status_));
  }

  absl::Status ApplyMessage() {
    if (shard_ == nullptr) {
      ASSIGN_OR_RETURN(shard_, service_->shard_.Get());
    }
    // Takes a tensor that arrived in several pieces. Each of the executor's few threads has one.
    thread_local std::vector<float> buffer(kChunkElements);
    PushChunk chunk;
    const absl::StatusOr<absl::string_view> payload =
        DecodeChunk(&message_, MutableTensorView(absl::MakeSpan(buffer)).bytes(), &chunk);
    if (begun_ && !payload.ok()) return shard_->RejectPush(header_, payload.status().message());
    if (begun_ && chunk.has_header()) return shard_->RejectPush(header_, "a second push header");
    RETURN_IF_ERROR(payload.status());
    if (!begun_) {
      if (!chunk.has_header()) return absl::InvalidArgumentError("no push header in the first message");
      RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(chunk.header().run())));
      header_ = ToPushHeader(chunk.header());
      ASSIGN_OR_RETURN(planes_, PlanesOf(chunk.header()));
      elements_ = chunk.header().elements();
      begun_ = true;
      next_key_ = shard_->range().begin;
      if (payload->empty()) return absl::OkStatus();
      if (planes_ > 1)
        return shard_->RejectPush(header_, "elements with the header of a push of several planes");
    }
    return ApplyPayload(chunk, *payload);
  }

  absl::Status ApplyPayload(const PushChunk& chunk, absl::string_view payload) {
    shard_->log().AwaitRoom();
    bytes_ += static_cast<int64_t>(payload.size());
    switch (elements_) {
      case PushIdentity::FLOAT32:
        return ApplyElements(chunk, ChunkElements<float>(payload));
      case PushIdentity::BFLOAT16:
        return ApplyElements(chunk, ChunkElements<uint16_t>(payload));
      case PushIdentity::PACKED: {
        thread_local std::vector<uint16_t> unpacked(kChunkElements);
        const auto begin = static_cast<int64_t>(chunk.begin());
        return ApplyElements(chunk, UnpackGradient(begin, payload, absl::MakeSpan(unpacked)));
      }
      case PushIdentity_Elements_PushIdentity_Elements_INT_MIN_SENTINEL_DO_NOT_USE_:
      case PushIdentity_Elements_PushIdentity_Elements_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    return shard_->RejectPush(header_, absl::StrCat("elements of kind ", elements_, ", want 0 to 2"));
  }

  template <typename Element>
  absl::Status ApplyElements(const PushChunk& chunk,
                             const absl::StatusOr<absl::Span<const Element>>& elements) {
    if (!elements.ok()) return shard_->RejectPush(header_, elements.status().message());
    const auto begin = static_cast<int64_t>(chunk.begin());
    const size_t wanted = planes_ - 1 - held_.size();
    if (chunk.plane() != wanted || (!held_.empty() && begin != held_begin_)) {
      return shard_->RejectPush(
          header_, absl::StrCat("a chunk of plane ", chunk.plane(), " from key ", begin, ", want plane ",
                                wanted, " from key ", held_.empty() ? begin : held_begin_));
    }
    PushPlanes planes((TensorView(*elements)));
    if (wanted > 0) {
      held_begin_ = begin;
      Hold(planes.gradient());
      return absl::OkStatus();
    }
    for (size_t plane = 1; plane < planes_; ++plane) planes.Add(TensorView(held_[planes_ - 1 - plane]));
    ASSIGN_OR_RETURN(outcome_, shard_->ApplyChunk(header_, begin, planes));
    held_.clear();
    next_key_ = begin + static_cast<int64_t>(elements->size());
    return absl::OkStatus();
  }

  // Keeps a copy, since the memory is that of the message.
  void Hold(TensorView plane) {
    std::vector<float>& held = held_.emplace_back(plane.size());
    if (plane.is_bfloat16()) {
      FromBfloat16(plane.bfloats(), absl::MakeSpan(held));
    } else {
      std::copy(plane.floats().begin(), plane.floats().end(), held.begin());
    }
  }

  absl::Status Reply() {
    if (!begun_) return absl::InvalidArgumentError("a push without a message");
    if (next_key_ != shard_->range().end) {
      return absl::InvalidArgumentError(
          absl::StrCat("the push ended at key ", next_key_, ", want ", shard_->range().end));
    }
    PushReply reply;
    FillPushReply(outcome_, &reply);
    *reply_ = SerializeMessage(reply);
    return absl::OkStatus();
  }

  ParameterService* const service_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const reply_;
  const absl::Time began_ = service_->options_.clock->Now();
  StreamSlot slot_;
  const TransferSlots::Place place_;
  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;   // into next_message_, or waiting for a slot to do so
  bool read_ ABSL_GUARDED_BY(mutex_) = false;      // next_message_ holds a chunk that is to be applied
  bool applying_ ABSL_GUARDED_BY(mutex_) = false;  // the chunk in message_
  bool over_ ABSL_GUARDED_BY(mutex_) = false;      // the sender sends no more
  bool kept_ ABSL_GUARDED_BY(mutex_) = false;      // Cancel() is to be called
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer next_message_;
  grpc::ByteBuffer message_;
  // Used by the reads of this stream, of which one is under way at a time.
  size_t reads_ = 0;  // begun
  // Used by the tasks of this stream only, of which one runs at a time; planes_ by the reads from the third on
  // too, which begin after the task that sets it.
  size_t applied_ = 0;  // messages
  size_t planes_ = 1;
  std::vector<std::vector<float>> held_;  // further planes of some keys, the last one first
  int64_t held_begin_ = 0;                // the first of those keys
  std::shared_ptr<ParameterShard> shard_;
  bool begun_ = false;
  PushIdentity::Elements elements_ = PushIdentity::FLOAT32;
  PushHeader header_;
  PushOutcome outcome_;
  int64_t next_key_ = 0;
  int64_t bytes_ = 0;  // of the gradient, as it arrived
};

grpc::ServerReadReactor<grpc::ByteBuffer>* ParameterService::Push(grpc::CallbackServerContext* context,
                                                                  grpc::ByteBuffer* reply) {
  return new PushReactor(this, context, reply);
}

}  // namespace downpour
