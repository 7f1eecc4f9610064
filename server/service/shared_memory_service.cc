// Where on the data's way: between the shard and replicas on its host; one session serves each replica.
#include "server/service/shared_memory_service.h"

#include <set>

#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/copy_past_caches.h"
#include "common/wire/descriptor_socket.h"
#include "common/wire/run_identity.h"
#include "common/wire/shared_memory.h"

namespace downpour {
namespace {

// Offsets that a session may name. A replica has a gradient, one in bfloat16 and its parameters. It may take
// pages away again that it had when the shard looked; this bounds how many the shard then makes anew.
constexpr size_t kMostPlaces = 8;
// A push is applied in pieces of so many elements: between two pieces the session looks whether the replica
// is still there, and a checkpoint waits for one piece at most.
constexpr int64_t kElementsAtOnce = 16 * ParameterShard::kSegmentElements;

void CopyElements(absl::Span<const float> from, absl::Span<float> to) {
  std::copy(from.begin(), from.end(), to.begin());
}
void CopyElements(absl::Span<const uint16_t> from, absl::Span<float> to) { FromBfloat16(from, to); }

}  // namespace

// gRPC -> OnReadDone -> executor: Handle -> StartWrite -> gRPC -> OnWriteDone -> StartRead -> ..., until the
// stream ends. Either gRPC or the executor works on the session, never both. Deletes itself in OnDone().
class SharedMemoryService::Session final
    : public grpc::ServerBidiReactor<SharedMemoryRequest, SharedMemoryReply> {
 public:
  explicit Session(SharedMemoryService* service) : service_(service) {
    const int limit = service->options_.max_sessions;
    if (++service->sessions_ > limit) {
      Finish(ToGrpcStatus(TooMany("sessions", limit)));
    } else {
      StartRead(&request_);
    }
  }
  ~Session() override { --service_->sessions_; }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
    } else if (!service_->executor_.TryRun([this] { Handle(); })) {
      Finish(ToGrpcStatus(TooMany("tasks", service_->options_.max_sessions)));
    }
  }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(ToGrpcStatus(absl::CancelledError("the replica is gone")));
    }
  }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  void Handle() {
    reply_.Clear();
    const absl::Status status = Answer();
    if (!status.ok() && !memory_.valid()) return Finish(ToGrpcStatus(status));
    reply_.set_code(static_cast<uint32_t>(status.code()));
    reply_.set_message(std::string(status.message()));
    StartWrite(&reply_);
  }

  absl::Status Answer() {
    switch (request_.request_case()) {
      case SharedMemoryRequest::kAttach:
        if (socket_ == nullptr && !memory_.valid()) return Listen();
        break;
      case SharedMemoryRequest::kConnected:
        if (socket_ != nullptr) return Receive();
        break;
      case SharedMemoryRequest::kPush:
        if (memory_.valid()) return Measured(&service_->transfers_.pushes, &Session::Push);
        break;
      case SharedMemoryRequest::kFetch:
        if (memory_.valid()) return Measured(&service_->transfers_.fetches, &Session::Fetch);
        break;
      case SharedMemoryRequest::REQUEST_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError("a request out of order");
  }

  // Counts the transfer that `transfer` makes, if it ends well.
  absl::Status Measured(TransferCounters* counters, absl::StatusOr<int64_t> (Session::*transfer)()) {
    const absl::Time began = service_->options_.clock->Now();
    ASSIGN_OR_RETURN(const int64_t bytes, (this->*transfer)());
    counters->Count(bytes, service_->options_.clock->Now() - began);
    return absl::OkStatus();
  }

  absl::Status Listen() {
    ASSIGN_OR_RETURN(shard_, service_->shard_.Get());
    RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(request_.attach())));
    absl::StatusOr<std::unique_ptr<DescriptorSocket>> socket =
        DescriptorSocket::Listen(service_->options_.directory);
    // Not UNAVAILABLE, which would make the replica try again and again.
    if (!socket.ok()) return absl::FailedPreconditionError(socket.status().message());
    socket_ = *std::move(socket);
    reply_.set_socket(socket_->name());
    return absl::OkStatus();
  }

  absl::Status Receive() {
    ASSIGN_OR_RETURN(FileDescriptor memory, socket_->Receive());
    socket_.reset();
    RETURN_IF_ERROR(CheckSealed(memory));
    memory_ = std::move(memory);
    return absl::OkStatus();
  }

  // The elements at `offset` of the replica's memory. `view` maps them, if it does not do so already.
  template <typename Element>
  absl::StatusOr<absl::Span<Element>> View(uint64_t offset, SharedMemoryView* view) {
    const int64_t elements = shard_->range().size();
    if (!view->Is(offset, elements, sizeof(Element))) {
      if (places_.size() == kMostPlaces && !places_.contains(offset)) {
        return absl::ResourceExhaustedError(absl::StrCat("offset ", offset, " is one more than the ",
                                                         kMostPlaces, " that a session may name"));
      }
      ASSIGN_OR_RETURN(*view, SharedMemoryView::Map(memory_, offset, elements, sizeof(Element)));
      places_.insert(offset);
    }
    return view->elements<Element>();
  }

  // This and the three after it return how many bytes were transferred.
  absl::StatusOr<int64_t> Push() {
    const PushIdentity& identity = request_.push().header();
    RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(identity.run())));
    const PushHeader header = ToPushHeader(identity);
    switch (identity.elements()) {
      case PushIdentity::FLOAT32:
        return Apply<float>(header);
      case PushIdentity::BFLOAT16:
        return Apply<uint16_t>(header);
      case PushIdentity::PACKED:  // packing spares bytes on a wire, and there is none
      case PushIdentity_Elements_PushIdentity_Elements_INT_MIN_SENTINEL_DO_NOT_USE_:
      case PushIdentity_Elements_PushIdentity_Elements_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    return absl::InvalidArgumentError(
        absl::StrCat("elements of kind ", identity.elements(), ", want 0 or 1"));
  }

  template <typename Element>
  absl::StatusOr<int64_t> Apply(const PushHeader& header) {
    ASSIGN_OR_RETURN(const absl::Span<const Element> gradient,
                     View<Element>(request_.push().offset(), &gradient_));
    const KeyRange range = shard_->range();
    const auto read = [&](int64_t begin, absl::Span<float> copy) {
      CopyElements(gradient.subspan(begin - range.begin, copy.size()), copy);
    };
    PushOutcome outcome;
    for (KeyRange keys = range; keys.begin < range.end; keys.begin = keys.end) {
      if (cancelled_) return absl::CancelledError("the replica is gone");
      keys.end = std::min(keys.begin + kElementsAtOnce, range.end);
      ASSIGN_OR_RETURN(outcome, shard_->ApplySegments(header, keys, read, service_->parallel_for_));
    }
    FillPushReply(outcome, reply_.mutable_push());
    return range.size() * static_cast<int64_t>(sizeof(Element));
  }

  absl::StatusOr<int64_t> Fetch() {
    RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(request_.fetch().run())));
    return request_.fetch().bfloat16() ? Write<uint16_t>() : Write<float>();
  }

  template <typename Element>
  absl::StatusOr<int64_t> Write() {
    ASSIGN_OR_RETURN(const absl::Span<Element> parameters,
                     View<Element>(request_.fetch().offset(), &parameters_));
    const KeyRange range = shard_->range();
    constexpr int64_t kStep = ParameterShard::kSegmentElements;
    reply_.set_fetched_version(shard_->version());
    service_->parallel_for_((range.size() + kStep - 1) / kStep, [&](int64_t index) {
      thread_local std::vector<Element> buffer(kStep);
      const int64_t begin = index * kStep;
      const auto copy = absl::MakeSpan(buffer).first(std::min(kStep, range.size() - begin));
      const int64_t key = range.begin + begin;
      // This cannot fail, since the keys are the shard's own.
      shard_->Read({key, key + static_cast<int64_t>(copy.size())}, MutableTensorView(copy)).IgnoreError();
      CopyPastCaches(TensorView(copy).bytes(), reinterpret_cast<char*>(&parameters[begin]));
    });
    return range.size() * static_cast<int64_t>(sizeof(Element));
  }

  SharedMemoryService* const service_;
  std::shared_ptr<ParameterShard> shard_;
  SharedMemoryRequest request_;
  SharedMemoryReply reply_;
  std::unique_ptr<DescriptorSocket> socket_;  // from the attach request to the connected request
  FileDescriptor memory_;                     // of the replica; valid from the connected request on
  std::set<uint64_t> places_;                 // offsets in it that the replica has named
  SharedMemoryView gradient_;
  SharedMemoryView parameters_;
  std::atomic<bool> cancelled_ = false;
};

SharedMemoryService::SharedMemoryService(const Options& options)
    : options_(options),
      executor_(options.threads, static_cast<size_t>(options.max_sessions) * options.threads),
      parallel_for_(ParallelForOn(&executor_, options.threads - 1)) {
  RemoveDeadSockets(options.directory);
}

grpc::ServerBidiReactor<SharedMemoryRequest, SharedMemoryReply>* SharedMemoryService::Attach(
    grpc::CallbackServerContext*) {
  return new Session(this);
}

}  // namespace downpour
