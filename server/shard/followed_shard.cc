// Where on the data's way: at a shard's standby; first fills a snapshot, then steps as the primary did.
#include "server/shard/followed_shard.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/program/memory.h"
#include "common/status_macros.h"
#include "server/shard/shard_start.h"

namespace downpour {
namespace {

// Of the ledger of as many replicas as a run can have, and of the layout.
constexpr int64_t kMostHeaderBytes = int64_t{64} * 1024 * 1024;

absl::Status NotInOrder(absl::string_view what, int64_t seen, int64_t wanted) {
  return absl::DataLossError(absl::StrCat("the primary sent ", what, " ", seen, ", want ", wanted));
}

}  // namespace

absl::Status FollowedShard::Take(const FollowReply& message, absl::string_view payload) {
  if (message.has_change()) return TakeChange(message.change(), payload);
  if (shard_ != nullptr || message.section() != section_)
    return NotInOrder("section", message.section(), section_);
  if (message.begin() != filled_) return NotInOrder("element", message.begin(), filled_);
  return section_ == 0 ? TakeHeader(message, payload) : TakeElements(payload);
}

absl::Status FollowedShard::TakeHeader(const FollowReply& message, absl::string_view payload) {
  header_.append(payload.data(), payload.size());
  filled_ = header_.size();
  if (payload.empty() || filled_ > message.header_bytes() || filled_ > kMostHeaderBytes)
    return NotInOrder("bytes of a header", static_cast<int64_t>(filled_), kMostHeaderBytes);
  if (filled_ < message.header_bytes()) return absl::OkStatus();
  if (!snapshot_.header.ParseFromString(header_))
    return absl::DataLossError("the primary sent a snapshot whose header is malformed");
  ASSIGN_OR_RETURN(const double bytes, ShardBytes(options_));
  RETURN_IF_ERROR(CheckMemory(absl::StrCat("the standby of shard ", options_.shard), bytes));
  ASSIGN_OR_RETURN(const std::unique_ptr<Optimizer> optimizer,
                   Optimizer::Create(options_.optimizer, options_.warm_start, options_.rounds));
  snapshot_.parameters.resize(options_.range.size());
  snapshot_.state.assign(optimizer->state_names().size(), std::vector<float>(options_.range.size()));
  header_.clear();
  section_ = 1;
  filled_ = 0;
  return absl::OkStatus();
}

absl::Status FollowedShard::TakeElements(absl::string_view payload) {
  std::vector<float>& section = section_ == 1 ? snapshot_.parameters : snapshot_.state[section_ - 2];
  const size_t elements = payload.size() / sizeof(float), wanted = section.size() - filled_;
  if (elements == 0 || payload.size() % sizeof(float) != 0 || elements > wanted) {
    return NotInOrder("bytes", static_cast<int64_t>(payload.size()),
                      static_cast<int64_t>(wanted * sizeof(float)));
  }
  std::copy_n(reinterpret_cast<const float*>(payload.data()), elements, section.begin() + filled_);
  filled_ += elements;
  if (filled_ < section.size()) return absl::OkStatus();
  filled_ = 0;
  if (++section_ <= snapshot_.state.size() + 1) return absl::OkStatus();
  ASSIGN_OR_RETURN(shard_, ParameterShard::Restore(options_, snapshot_));
  snapshot_ = {};
  return absl::OkStatus();
}

absl::Status FollowedShard::TakeChange(const ShardChange& change, absl::string_view payload) {
  if (shard_ == nullptr || change.number() != applied_ + 1)
    return NotInOrder("change", change.number(), shard_ == nullptr ? 0 : applied_ + 1);
  const size_t element_bytes = change.bfloat16() ? sizeof(uint16_t) : sizeof(float);
  if (payload.size() % element_bytes != 0 || payload.size() > kMostPlanes * kChunkBytes)
    return NotInOrder("bytes of a gradient", payload.size(), kMostPlanes * kChunkBytes);
  const size_t elements = payload.size() / element_bytes;
  const char* const bytes = payload.data();
  RETURN_IF_ERROR(shard_->Follow(
      change, change.bfloat16()
                  ? TensorView(absl::MakeConstSpan(reinterpret_cast<const uint16_t*>(bytes), elements))
                  : TensorView(absl::MakeConstSpan(reinterpret_cast<const float*>(bytes), elements))));
  applied_ = change.number();
  return absl::OkStatus();
}

}  // namespace downpour
