// Where on the data's way: between the shard and one replica on its host; looks at each request, and at the
// memory that it names.
#include "server/service/shared_memory_session.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/copy_past_caches.h"
#include "common/wire/run_identity.h"

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

absl::Status SharedMemorySession::Answer(const SharedMemoryRequest& request, SharedMemoryReply* reply) {
  switch (request.request_case()) {
    case SharedMemoryRequest::kAttach:
      if (socket_ == nullptr && !memory_.valid()) return Listen(request.attach(), reply);
      break;
    case SharedMemoryRequest::kConnected:
      if (socket_ != nullptr) return Receive();
      break;
    case SharedMemoryRequest::kPush:
      if (memory_.valid()) return Push(request.push(), reply);
      break;
    case SharedMemoryRequest::kFetch:
      if (memory_.valid()) return Fetch(request.fetch(), reply);
      break;
    case SharedMemoryRequest::REQUEST_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a request out of order");
}

int64_t SharedMemorySession::TensorBytes(const SharedMemoryRequest& request) const {
  const bool bfloat16 = request.has_push() ? request.push().header().elements() == PushIdentity::BFLOAT16
                                           : request.fetch().bfloat16();
  const int64_t tensors = 1 + request.push().further_offset_size();
  return tensors * shard_->range().size() * static_cast<int64_t>(bfloat16 ? sizeof(uint16_t) : sizeof(float));
}

absl::Status SharedMemorySession::Listen(const RunIdentity& run, SharedMemoryReply* reply) {
  ASSIGN_OR_RETURN(shard_, options_.shard->Get());
  RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(run)));
  absl::StatusOr<std::unique_ptr<DescriptorSocket>> socket = DescriptorSocket::Listen(options_.directory);
  // Not UNAVAILABLE, which would make the replica try again and again.
  if (!socket.ok()) return absl::FailedPreconditionError(socket.status().message());
  socket_ = *std::move(socket);
  reply->set_socket(socket_->name());
  return absl::OkStatus();
}

absl::Status SharedMemorySession::Receive() {
  ASSIGN_OR_RETURN(FileDescriptor memory, socket_->Receive());
  socket_.reset();
  RETURN_IF_ERROR(CheckSealed(memory));
  memory_ = std::move(memory);
  return absl::OkStatus();
}

template <typename Element>
absl::StatusOr<absl::Span<Element>> SharedMemorySession::View(uint64_t offset, SharedMemoryView* view) {
  const int64_t elements = shard_->range().size();
  if (!view->Is(offset, elements, sizeof(Element))) {
    if (places_.size() == kMostPlaces && !places_.contains(offset)) {
      return absl::ResourceExhaustedError(
          absl::StrCat("offset ", offset, " is one more than the ", kMostPlaces, " that a session may name"));
    }
    ASSIGN_OR_RETURN(*view, SharedMemoryView::Map(memory_, offset, elements, sizeof(Element)));
    places_.insert(offset);
  }
  return view->elements<Element>();
}

absl::Status SharedMemorySession::Push(const SharedMemoryRequest::Push& push, SharedMemoryReply* reply) {
  RETURN_IF_ERROR(CheckMayPush(options_.caller));
  const PushIdentity& identity = push.header();
  RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(identity.run())));
  ASSIGN_OR_RETURN(const size_t planes, PlanesOf(identity));
  if (push.further_offset_size() + size_t{1} != planes) {
    return absl::InvalidArgumentError(absl::StrCat(
        push.further_offset_size(), " further offsets in a push of ", planes, " planes, want ", planes - 1));
  }
  switch (identity.elements()) {
    case PushIdentity::FLOAT32:
      return Apply<float>(push, reply);
    case PushIdentity::BFLOAT16:
      return Apply<uint16_t>(push, reply);
    case PushIdentity::PACKED:  // packing spares bytes on a wire, and there is none
    case PushIdentity_Elements_PushIdentity_Elements_INT_MIN_SENTINEL_DO_NOT_USE_:
    case PushIdentity_Elements_PushIdentity_Elements_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("elements of kind ", identity.elements(), ", want 0 or 1"));
}

template <typename Element>
absl::Status SharedMemorySession::Apply(const SharedMemoryRequest::Push& push, SharedMemoryReply* reply) {
  const PushHeader header = ToPushHeader(push.header());
  absl::InlinedVector<absl::Span<const Element>, kMostPlanes> planes;
  for (int plane = 0; plane <= push.further_offset_size(); ++plane) {
    const uint64_t offset = plane == 0 ? push.offset() : push.further_offset(plane - 1);
    ASSIGN_OR_RETURN(planes.emplace_back(), View<Element>(offset, &planes_[plane]));
  }
  const KeyRange range = shard_->range();
  const auto read = [&](size_t plane, int64_t begin, absl::Span<float> copy) {
    CopyElements(planes[plane].subspan(begin - range.begin, copy.size()), copy);
  };
  PushOutcome outcome;
  for (KeyRange keys = range; keys.begin < range.end; keys.begin = keys.end) {
    if (options_.replica_gone()) return absl::CancelledError("the replica is gone");
    keys.end = std::min(keys.begin + kElementsAtOnce, range.end);
    shard_->log().AwaitRoom();
    ASSIGN_OR_RETURN(outcome,
                     shard_->ApplySegments(header, keys, planes.size(), read, options_.parallel_for));
  }
  RETURN_IF_ERROR(shard_->log().AwaitSafe());
  FillPushReply(outcome, reply->mutable_push());
  return absl::OkStatus();
}

absl::Status SharedMemorySession::Fetch(const SharedMemoryRequest::Fetch& fetch, SharedMemoryReply* reply) {
  RETURN_IF_ERROR(shard_->CheckRun(ToRunKey(fetch.run())));
  return fetch.bfloat16() ? Write<uint16_t>(fetch.offset(), reply) : Write<float>(fetch.offset(), reply);
}

template <typename Element>
absl::Status SharedMemorySession::Write(uint64_t offset, SharedMemoryReply* reply) {
  ASSIGN_OR_RETURN(const absl::Span<Element> parameters, View<Element>(offset, &parameters_));
  const KeyRange range = shard_->range();
  constexpr int64_t kStep = ParameterShard::kSegmentElements;
  reply->set_fetched_version(shard_->version());
  options_.parallel_for((range.size() + kStep - 1) / kStep, [&](int64_t index) {
    thread_local std::vector<Element> buffer(kStep);
    const int64_t begin = index * kStep;
    const auto copy = absl::MakeSpan(buffer).first(std::min(kStep, range.size() - begin));
    const int64_t key = range.begin + begin;
    // This cannot fail, since the keys are the shard's own.
    shard_->Read({key, key + static_cast<int64_t>(copy.size())}, MutableTensorView(copy)).IgnoreError();
    CopyPastCaches(TensorView(copy).bytes(), reinterpret_cast<char*>(&parameters[begin]));
  });
  return absl::OkStatus();
}

}  // namespace downpour
