// Where on the data's way: at the calling end of the wire; a call whose messages are bytes.
#ifndef DOWNPOUR_COMMON_RPC_RAW_CALL_H_
#define DOWNPOUR_COMMON_RPC_RAW_CALL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"

namespace downpour {

// Ends a queue, once all that it waits for has ended, as gRPC wants it before it is destroyed.
inline void ShutDownAndDrain(grpc::CompletionQueue* queue) {
  queue->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
  }
}

// A streaming call of "/package.Service/Name" with raw messages, driven step by step by its thread.
class RawCall {
 public:
  RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method, absl::Duration timeout) {
    if (timeout < absl::InfiniteDuration()) context_.set_deadline(DeadlineIn(timeout));
    call_ = grpc::GenericStub(channel).PrepareCall(&context_, method, &queue_);
    call_->StartCall(nullptr);
    Await();
  }
  // Cancels the call if Finish() was not called.
  ~RawCall() {
    if (!finished_) {
      context_.TryCancel();
      Finish().IgnoreError();
    }
    ShutDownAndDrain(&queue_);
  }
  RawCall(const RawCall&) = delete;
  RawCall& operator=(const RawCall&) = delete;

  // StartWrite() and StartRead() begin one write or read, which has ended when Await() returns. `last` also
  // tells the peer that no more will come.
  void StartWrite(const grpc::ByteBuffer& message, bool last) {
    if (last) {
      call_->WriteLast(message, grpc::WriteOptions(), nullptr);
    } else {
      call_->Write(message, nullptr);
    }
  }
  void StartRead(grpc::ByteBuffer* message) { call_->Read(message, nullptr); }
  // Returns false if the call is over; Finish() then says why.
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  // Thread-safe; all that is under way ends.
  void Cancel() { context_.TryCancel(); }
  absl::Status Finish() {
    grpc::Status status;
    finished_ = true;
    call_->Finish(&status, this);
    void* tag = nullptr;
    bool ok = false;
    while (tag != this && queue_.Next(&tag, &ok)) {  // a read that was begun before may end first
    }
    return FromUncancelledCall(status);
  }

 private:
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false;
};

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RPC_RAW_CALL_H_
