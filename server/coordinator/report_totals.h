// Where on the data's way: what the replicas report; what a report adds, and the most that it can add.
#ifndef DOWNPOUR_SERVER_COORDINATOR_REPORT_TOTALS_H_
#define DOWNPOUR_SERVER_COORDINATOR_REPORT_TOTALS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"

namespace downpour {

// What a replica has done since it joined, as its reports say, or what one report adds to that.
struct ReportTotals {
  int64_t minibatches = 0;
  int64_t frames = 0;
  int64_t pushes_applied = 0;
  int64_t pushes_rejected = 0;
  int64_t pushes_late = 0;
  double loss_sum = 0;  // nats
};

// What a replica can do between two of its reports. It reports after each push and each dropped minibatch,
// and is given at most one slice with each report (worker/replica/replica_loop.h). So it makes at most
// kMostPushes pushes, which may be of one minibatch: one, noise's repeat of it, and the minibatch was dropped
// from it. It reads at most the frames of one slice, and fewer than a minibatch's that were left of the slice
// before. Time does not matter: a replica that waits for a slow coordinator does nothing meanwhile.
struct ReportBounds {
  static constexpr int64_t kMostPushes = 3;
  // That a replica may have sent to a coordinator which has been restored from an older checkpoint since.
  static constexpr uint64_t kMostReportsLost = 1 << 16;

  int64_t minibatch_frames = 0;    // of the largest minibatch
  int64_t frames_of_an_epoch = 0;  // no slice has more
  bool reports_lost = false;       // whether reports before this one may be lost
};

// Takes in the totals of a report newer than the replica's last and returns what they add. INVALID_ARGUMENT,
// and nothing changes: a total is below that of the last report or above 2^50; the report adds more than
// `bounds` allow, a loss that cross-entropy cannot be, or more values of staleness than applied pushes.
absl::StatusOr<ReportTotals> AdvanceTotals(const ReportRequest& report, const ReportBounds& bounds,
                                           MembershipState::Replica* replica);

// Whether cross-entropy over `frames` frames can be `loss_sum` nats: not NaN, nor below 0 but by rounding.
bool PlausibleLoss(double loss_sum, int64_t frames);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_REPORT_TOTALS_H_
