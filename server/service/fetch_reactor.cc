// Where on the data's way: the shard's end of the wire; sends the parameters, chunk by chunk, for a fetch.
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/grpc_chunk.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "common/wire/run_identity.h"
#include "server/service/parameter_service.h"
#include "server/service/stream_slot.h"

namespace downpour {
// One fetch. Slot -> executor: PrepareNext -> StartWrite -> gRPC -> OnWriteDone -> the next, until the range
// is covered and gRPC has let go of all. The next chunk is prepared while one is sent. OnDone() deletes it.
class ParameterService::FetchReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                                             private StallWatch::Stream {
 public:
  FetchReactor(ParameterService* service, grpc::CallbackServerContext* context,
               const grpc::ByteBuffer& request)
      : service_(service),
        context_(context),
        request_(request),
        slot_(&service->fetches_, service->options_.max_fetches),
        place_(service->chunks_out_.Arrive(context->peer())) {
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      if (!slot_.granted()) status_ = TooMany("fetches", service->options_.max_fetches);
    });
  }

  void OnWriteDone(bool ok) override {
    message_.Clear();
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      writing_ = false;
      if (!ok) status_.Update(absl::CancelledError("the fetching replica is gone"));
    });
  }

  void OnCancel() override {
    std::vector<std::weak_ptr<Slot>> held;
    {
      absl::MutexLock lock(&mutex_);
      cancelled_ = true;
      held.swap(held_);
    }
    for (const std::weak_ptr<Slot>& slot : held) {
      if (const SharedSlot still_held = slot.lock()) still_held->Release();
    }
    if (service_->chunks_out_.GiveUp(place_)) Prepared(Cancelled());
  }

  void OnDone() override {
    service_->chunks_out_.Leave(place_);
    delete this;
  }

 private:
  // The slot of a chunk that is being sent. It is free again when gRPC has let go of the chunk's bytes, or as
  // soon as the fetch is cancelled: a peer that takes no bytes could keep those in gRPC for long. So the watch
  // counts the time of a slot, not of a write, which gRPC may report as done while it holds the bytes.
  class Slot {
   public:
    // `fetch` lives until the slot is released.
    explicit Slot(FetchReactor* fetch) : fetch_(fetch) { fetch->service_->stalls_.Begin(this, fetch); }
    ~Slot() { Release(); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    void Release() {
      if (released_.exchange(true)) return;
      fetch_->service_->stalls_.Done(this);
      fetch_->service_->chunks_out_.Release(fetch_->place_.peer);
      fetch_->Proceed([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(fetch_->mutex_) { --fetch_->slots_; });
    }

   private:
    FetchReactor* const fetch_;
    std::atomic<bool> released_ = false;
  };
  using SharedSlot = std::shared_ptr<Slot>;

  // The lent parameters as a piece of a message. gRPC lets go of loan and slot when it has sent them.
  static grpc::Slice SliceOf(const LentParameters& lent, const SharedSlot& slot) {
    using Owners = std::pair<std::shared_ptr<const void>, SharedSlot>;
    const absl::string_view bytes = lent.parameters.bytes();
    // Only gRPC's type wants the bytes not const; gRPC does not write what it sends.
    return {const_cast<char*>(bytes.data()), bytes.size(),
            [](void* sent) { delete static_cast<Owners*>(sent); }, new Owners(lent.owner, slot)};
  }

  static absl::Status Cancelled() { return absl::CancelledError("the fetch is cancelled"); }

  // As PushReactor::Proceed(), with preparing and writing.
  template <typename Change>
  void Proceed(Change change) {
    grpc::ByteBuffer dropped;  // last, since its slot may be the last thing that keeps this alive
    bool write, prepare, end;
    const Slot* slot;
    {
      absl::MutexLock lock(&mutex_);
      change();
      if (!status_.ok() && std::exchange(prepared_, false)) dropped.Swap(&next_message_);
      write = prepared_ && !writing_;
      slot = next_slot_;
      if (write) {
        message_.Swap(&next_message_);
        prepared_ = false;
        writing_ = true;
      }
      prepare = !prepared_ && !preparing_ && !over_ && status_.ok();
      if (prepare) preparing_ = true;
      end = !writing_ && !preparing_ && slots_ == 0 && !kept_;
    }
    if (prepare && !service_->chunks_out_.Acquire(place_, [this] { Prepare(); })) Prepared(Cancelled());
    if (write) {
      service_->stalls_.Renew(slot);
      StartWrite(&message_);
    }
    if (end) End();
  }

  // Called with a slot taken.
  void Prepare() {
    const auto slot = std::make_shared<Slot>(this);
    bool cancelled;
    {
      absl::MutexLock lock(&mutex_);
      ++slots_;
      cancelled = cancelled_;
      if (!cancelled) {
        std::erase_if(held_, [](const std::weak_ptr<Slot>& other) { return other.expired(); });
        held_.push_back(slot);
        next_slot_ = slot.get();
      }
    }
    if (cancelled) return Prepared(Cancelled());
    if (!service_->executor_.TryRun([this, slot] { Prepared(PrepareNext(slot)); }))
      Prepared(TooMany("tasks", service_->options_.max_fetches));
  }

  void Prepared(const absl::Status& status) {
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      preparing_ = false;
      prepared_ = status.ok();
      over_ = status.ok() && next_key_ == shard_->range().end;
      status_.Update(status);
    });
  }

  void Keep() override {
    absl::MutexLock lock(&mutex_);
    kept_ = true;
  }
  void Cancel() override {
    context_->TryCancel();
    Proceed([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { kept_ = false; });
  }

  void End() ABSL_NO_THREAD_SAFETY_ANALYSIS {  // nothing else is under way, so no lock is needed
    if (status_.ok()) service_->transfers_.fetches.Count(bytes_, service_->options_.clock->Now() - began_);
    slot_.Release();
    Finish(ToGrpcStatus(status_));
  }

  // Fills next_message_. It refers to the shard's own memory, and keeps the slot as long as it does.
  absl::Status PrepareNext(const SharedSlot& slot) {
    FetchChunk chunk;
    if (shard_ == nullptr) {
      ASSIGN_OR_RETURN(shard_, service_->shard_.Get());
      FetchRequest request;
      RETURN_IF_ERROR(ParseMessage(&request_, &request));
      RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(request.run())));
      bfloat16_ = request.bfloat16();
      next_key_ = shard_->range().begin;
      chunk.set_version(shard_->version());
    }
    const int64_t elements = kChunkBytes / (bfloat16_ ? sizeof(uint16_t) : sizeof(float));
    const KeyRange keys{next_key_, std::min(next_key_ + elements, shard_->range().end)};
    ASSIGN_OR_RETURN(const std::vector<LentParameters> lent, shard_->Lend(keys, bfloat16_));
    std::vector<grpc::Slice> slices;
    slices.reserve(lent.size());
    for (const LentParameters& piece : lent) {
      bytes_ += static_cast<int64_t>(piece.parameters.bytes().size());
      slices.push_back(SliceOf(piece, slot));
    }
    chunk.set_begin(keys.begin);
    next_message_ = EncodeChunk(chunk, slices);
    next_key_ = keys.end;
    return absl::OkStatus();
  }

  ParameterService* const service_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer request_;
  const absl::Time began_ = service_->options_.clock->Now();
  StreamSlot slot_;
  const TransferSlots::Place place_;
  absl::Mutex mutex_;
  bool preparing_ ABSL_GUARDED_BY(mutex_) = false;  // next_message_, or waiting for a slot to do so
  bool prepared_ ABSL_GUARDED_BY(mutex_) = false;   // next_message_ holds a chunk that is to be sent
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;    // message_
  bool over_ ABSL_GUARDED_BY(mutex_) = false;       // the last chunk has been prepared
  bool kept_ ABSL_GUARDED_BY(mutex_) = false;       // Cancel() is to be called
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;  // by the peer or the watch
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  int slots_ ABSL_GUARDED_BY(mutex_) = 0;                          // that are not released
  std::vector<std::weak_ptr<Slot>> held_ ABSL_GUARDED_BY(mutex_);  // those of them that OnCancel() releases
  const Slot* next_slot_ ABSL_GUARDED_BY(mutex_) = nullptr;        // of next_message_, which keeps it alive
  grpc::ByteBuffer message_;
  grpc::ByteBuffer next_message_;
  // Used by the tasks of this stream only, of which one runs at a time.
  std::shared_ptr<ParameterShard> shard_;
  bool bfloat16_ = false;
  int64_t next_key_ = 0;
  int64_t bytes_ = 0;  // of the parameters that were sent
};

grpc::ServerWriteReactor<grpc::ByteBuffer>* ParameterService::Fetch(grpc::CallbackServerContext* context,
                                                                    const grpc::ByteBuffer* request) {
  return new FetchReactor(this, context, *request);
}

}  // namespace downpour
