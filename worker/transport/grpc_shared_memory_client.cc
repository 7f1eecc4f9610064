// Where on the data's way: keeps a session with the shard, and goes over gRPC wherever that fails.
#include "worker/transport/grpc_shared_memory_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include "common/program/logging.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/raw_call.h"
#include "common/status_macros.h"
#include "common/tensor/copy_past_caches.h"
#include "common/wire/descriptor_socket.h"
#include "common/wire/run_identity.h"
#include "proto/shared_memory.grpc.pb.h"

namespace downpour {

// The stream of requests and replies, which the calling thread drives step by step.
class SharedMemoryShardClient::Session {
 public:
  Session(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout)
      : stub_(SharedMemory::NewStub(channel)), timeout_(timeout) {
    call_ = stub_->PrepareAsyncAttach(&context_, &queue_);
    call_->StartCall(nullptr);
    open_ = Await();
  }
  ~Session() {
    if (open_) {
      context_.TryCancel();
      Finish().IgnoreError();
    }
    ShutDownAndDrain(&queue_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool open() const { return open_; }

  // Returns the reply, or the status with which the shard answers the request, or, if open() is false
  // afterwards, the status with which the stream has ended.
  absl::StatusOr<SharedMemoryReply> Call(const SharedMemoryRequest& request) {
    SharedMemoryReply reply;
    call_->Write(request, nullptr);
    bool replied = Await();
    if (replied) {
      call_->Read(&reply, nullptr);
      replied = Await();
    }
    if (!replied) return Finish();
    if (reply.code() == 0) return reply;
    return absl::Status(static_cast<absl::StatusCode>(reply.code()), reply.message());
  }

 private:
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, DeadlineIn(timeout_)) == grpc::CompletionQueue::GOT_EVENT) return ok;
    timed_out_ = true;
    context_.TryCancel();
    return queue_.Next(&tag, &ok) && false;
  }
  absl::Status Finish() {
    open_ = false;
    grpc::Status status;
    call_->Finish(&status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    if (timed_out_) return absl::DeadlineExceededError("the shard does not answer");
    // The shard must not end the stream in good order without a reply, so that is an error too.
    return status.ok() ? absl::UnavailableError("the shard has ended the session") : FromGrpcStatus(status);
  }

  const std::unique_ptr<SharedMemory::Stub> stub_;
  const absl::Duration timeout_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<SharedMemoryRequest, SharedMemoryReply>> call_;
  bool open_ = false;
  bool timed_out_ = false;
};

SharedMemoryShardClient::SharedMemoryShardClient(const Options& options)
    : options_(options),
      grpc_(options.grpc),
      channel_(ConnectTo(options.grpc.address, options.grpc.peer, options.grpc.connection)),
      buffer_(options.memory) {}

SharedMemoryShardClient::~SharedMemoryShardClient() = default;

absl::StatusOr<PushOutcome> SharedMemoryShardClient::Push(const PushHeader& header,
                                                          const PushPlanes& planes) {
  RETURN_IF_ERROR(CheckSize(planes));
  Session* const session = Attached();
  if (session == nullptr) return grpc_.Push(header, planes);
  SharedMemoryRequest request;
  FillPushIdentity(options_.grpc.run, header,
                   planes.gradient().is_bfloat16() ? PushIdentity::BFLOAT16 : PushIdentity::FLOAT32,
                   planes.size(), request.mutable_push()->mutable_header());
  const std::vector<uint64_t> offsets = OffsetsOf(planes);
  request.mutable_push()->set_offset(offsets[0]);
  request.mutable_push()->mutable_further_offset()->Add(offsets.begin() + 1, offsets.end());
  const absl::StatusOr<SharedMemoryReply> reply = Call(*session, request);
  if (IsTransient(reply.status())) return grpc_.Push(header, planes);
  RETURN_IF_ERROR(reply.status());
  return PushOutcome{reply->push().version(), reply->push().staleness(), reply->push().duplicate(),
                     reply->push().late()};
}

absl::StatusOr<uint64_t> SharedMemoryShardClient::Fetch(MutableTensorView parameters) {
  RETURN_IF_ERROR(CheckSize(parameters.size()));
  Session* const session = Attached();
  if (session == nullptr) return grpc_.Fetch(parameters);
  SharedMemoryRequest request;
  FillRunIdentity(options_.grpc.run, request.mutable_fetch()->mutable_run());
  request.mutable_fetch()->set_bfloat16(parameters.is_bfloat16());
  const absl::Span<char> bytes = parameters.bytes();
  const std::optional<uint64_t> in_place = options_.memory->OffsetOf({bytes.data(), bytes.size()});
  request.mutable_fetch()->set_offset(in_place.has_value() ? *in_place : Buffer(bytes.size()));
  const absl::StatusOr<SharedMemoryReply> reply = Call(*session, request);
  if (IsTransient(reply.status())) return grpc_.Fetch(parameters);
  RETURN_IF_ERROR(reply.status());
  if (!in_place.has_value()) CopyPastCaches({buffer_.data(), buffer_.size()}, bytes.data());
  return reply->fetched_version();
}

absl::StatusOr<SharedMemoryReply> SharedMemoryShardClient::Call(Session& session,
                                                                const SharedMemoryRequest& request) {
  absl::StatusOr<SharedMemoryReply> reply = session.Call(request);
  if (session.open()) return reply;
  session_.reset();
  return absl::UnavailableError(reply.status().message());
}

SharedMemoryShardClient::Session* SharedMemoryShardClient::Attached() {
  if (session_ != nullptr || apart_) return session_.get();
  absl::StatusOr<std::unique_ptr<Session>> session = Attach();
  const absl::Status& status = session.status();
  if (session.ok()) {
    LogInfo("shard at ", options_.grpc.address, ": its gradients and parameters go through shared memory");
    session_ = *std::move(session);
  } else if (absl::IsNotFound(status) || absl::IsUnimplemented(status) ||
             absl::IsFailedPrecondition(status)) {
    // No other attempt can succeed. Other statuses only say that the shard does not answer now.
    LogInfo("shard at ", options_.grpc.address,
            ": no shared memory, so all goes over gRPC: ", status.message());
    apart_ = true;
  }
  return session_.get();
}

absl::StatusOr<std::unique_ptr<SharedMemoryShardClient::Session>> SharedMemoryShardClient::Attach() {
  RETURN_IF_ERROR(AwaitConnection(*channel_, options_.grpc.address));
  auto session = std::make_unique<Session>(channel_, options_.grpc.rpc_timeout);
  SharedMemoryRequest request;
  FillRunIdentity(options_.grpc.run, request.mutable_attach());
  ASSIGN_OR_RETURN(const SharedMemoryReply reply, session->Call(request));
  const absl::Status sent = SendDescriptor(options_.directory, reply.socket(), options_.memory->file());
  if (!sent.ok()) return absl::NotFoundError(sent.message());
  request.mutable_connected();
  RETURN_IF_ERROR(session->Call(request).status());
  return session;
}

std::vector<uint64_t> SharedMemoryShardClient::OffsetsOf(const PushPlanes& planes) {
  std::vector<uint64_t> offsets;
  bool in_place = true;
  for (size_t plane = 0; plane < planes.size(); ++plane) {
    const std::optional<uint64_t> offset = options_.memory->OffsetOf(planes[plane].bytes());
    in_place = in_place && offset.has_value();
    offsets.push_back(offset.value_or(0));
  }
  if (in_place) return offsets;
  const size_t bytes = planes.gradient().bytes().size();
  const uint64_t begin = Buffer(planes.size() * bytes);
  for (size_t plane = 0; plane < planes.size(); ++plane) {
    CopyPastCaches(planes[plane].bytes(), buffer_.data() + plane * bytes);
    offsets[plane] = begin + plane * bytes;
  }
  return offsets;
}

uint64_t SharedMemoryShardClient::Buffer(size_t bytes) {
  buffer_.resize(bytes);
  return *options_.memory->OffsetOf({buffer_.data(), bytes});
}

}  // namespace downpour
