// Where on the data's way: what the replicas report; compares each report with the replica's last one.
#include "server/coordinator/report_totals.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

// So that sums over replicas cannot overflow.
constexpr int64_t kMaxTotal = int64_t{1} << 50;

constexpr struct {
  const char* field;
  int64_t ReportTotals::*count;
} kCounts[] = {{"minibatches", &ReportTotals::minibatches},
               {"frames", &ReportTotals::frames},
               {"pushes_applied", &ReportTotals::pushes_applied},
               {"pushes_rejected", &ReportTotals::pushes_rejected},
               {"pushes_late", &ReportTotals::pushes_late}};

// Of a ReportRequest or a MembershipState::Replica, which name their fields alike.
template <typename Message>
ReportTotals TotalsOf(const Message& message) {
  return {message.minibatches(),     message.frames(),      message.pushes_applied(),
          message.pushes_rejected(), message.pushes_late(), message.loss_sum()};
}

// `reports`: how many brought these totals, the lost ones included.
absl::Status CheckAdded(const ReportTotals& added, int64_t reports, const ReportBounds& bounds) {
  const int64_t fewest = (added.frames + bounds.minibatch_frames - 1) / bounds.minibatch_frames;
  if (added.minibatches < fewest || added.minibatches > added.frames) {
    return absl::InvalidArgumentError(absl::StrCat("adds ", added.minibatches, " minibatches of ",
                                                   added.frames, " frames, want ", fewest, " to ",
                                                   added.frames));
  }
  const double most_frames =
      static_cast<double>(reports) * static_cast<double>(bounds.frames_of_an_epoch + bounds.minibatch_frames);
  if (static_cast<double>(added.frames) > most_frames) {
    return absl::InvalidArgumentError(
        absl::StrCat("adds ", added.frames, " frames, want at most ", most_frames));
  }
  const int64_t pushes = added.pushes_applied + added.pushes_rejected + added.pushes_late;
  const int64_t most_pushes = ReportBounds::kMostPushes * std::min(reports, added.minibatches);
  if (pushes > most_pushes) {
    return absl::InvalidArgumentError(absl::StrCat("adds ", pushes, " pushes of ", added.minibatches,
                                                   " minibatches, want at most ", most_pushes));
  }
  if (!PlausibleLoss(added.loss_sum, added.frames)) {
    return absl::InvalidArgumentError(absl::StrCat("adds ", added.loss_sum, " to loss_sum, want what ",
                                                   added.frames, " frames can have as cross-entropy"));
  }
  return absl::OkStatus();
}

// As AdvanceTotals, but takes nothing in, and its messages do not name the report.
absl::StatusOr<ReportTotals> Added(const ReportRequest& report, const ReportBounds& bounds,
                                   const MembershipState::Replica& replica) {
  const ReportTotals before = TotalsOf(replica), now = TotalsOf(report);
  ReportTotals added;
  for (const auto& [field, count] : kCounts) {
    const int64_t seen = now.*count, last = before.*count;
    if (seen < last || seen > kMaxTotal) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is ", seen, ", want ", last, " to ", kMaxTotal));
    }
    added.*count = seen - last;
  }
  added.loss_sum = now.loss_sum - before.loss_sum;
  const uint64_t most_reports = bounds.reports_lost ? ReportBounds::kMostReportsLost : 1;
  const uint64_t reports = std::min(report.report() - replica.report(), most_reports);
  RETURN_IF_ERROR(CheckAdded(added, static_cast<int64_t>(reports), bounds));
  if (report.staleness_size() > added.pushes_applied) {
    return absl::InvalidArgumentError(absl::StrCat("has ", report.staleness_size(),
                                                   " values of staleness, want at most ",
                                                   added.pushes_applied, ", one for each applied push"));
  }
  return added;
}

}  // namespace

bool PlausibleLoss(double loss_sum, int64_t frames) {
  constexpr double kLeast = -1e-3, kMost = 1e39;  // nats a frame; scores are of float32
  const auto count = static_cast<double>(frames);
  return kLeast * count <= loss_sum && loss_sum <= kMost * count;
}

absl::StatusOr<ReportTotals> AdvanceTotals(const ReportRequest& report, const ReportBounds& bounds,
                                           MembershipState::Replica* replica) {
  absl::StatusOr<ReportTotals> added = Added(report, bounds, *replica);
  if (!added.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("report ", report.report(), " of replica ",
                                                   replica->replica_id(), " after report ", replica->report(),
                                                   ": ", added.status().message()));
  }
  replica->set_report(report.report());
  replica->set_minibatches(report.minibatches());
  replica->set_frames(report.frames());
  replica->set_pushes_applied(report.pushes_applied());
  replica->set_pushes_rejected(report.pushes_rejected());
  replica->set_pushes_late(report.pushes_late());
  replica->set_loss_sum(report.loss_sum());
  return added;
}

}  // namespace downpour
