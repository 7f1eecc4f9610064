// Where on the data's way: from the coordinator to the run folder; an evaluation as CSV and as scalars.
#ifndef DOWNPOUR_SERVER_COORDINATOR_EVALUATION_LINE_H_
#define DOWNPOUR_SERVER_COORDINATOR_EVALUATION_LINE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "proto/tensorboard_event.pb.h"
#include "server/coordinator/run_observer.h"

namespace downpour {

// Cross-entropy in nats a frame. No value: no frames, or it is not finite.
std::optional<double> MeanLoss(const TestSetResult& result);

// The header of frame_accuracy.csv, with its line end:
//   wall_s,virtual_s              since the run began, without pauses between crash and restore
//   updates,frames,epoch          epoch = frames / frames of the training part
//   train_loss                    mean cross-entropy in nats over the frames trained since the line before
//   test_loss,test_frame_accuracy
//   live_replicas
//   staleness_mean,staleness_p99  in updates, of the pushes since the line before
//   pushes_rejected               since the run began
//   test_nonsilence_frame_accuracy,test_human_loss,test_human_frame_accuracy,
//   test_human_nonsilence_frame_accuracy
//   gradient_variance,gradient_squared_norm,gradient_noise_scale  of the pushes since the line before, as
//                                                                 server/coordinator/gradient_noise.h says
// Accuracies are fractions in [0, 1]. A value that is not known is left empty.
std::string FrameAccuracyHeader();
std::string FrameAccuracyLine(const EvaluationRecord& record);
// The record's known values as scalars test/frame_accuracy, train/loss, ..., and the staleness of the pushes
// since the line before as histogram cluster/staleness; step: the number of updates.
tensorboard::Event EvaluationEvent(const EvaluationRecord& record);

// The lines of frame_accuracy.csv that a checkpoint counts: those of fewer than `updates` updates, and the
// first `there` lines of just so many.
struct CountedLines {
  int64_t updates = -1;
  int64_t there = 0;
};
CountedLines LinesCountedBy(const CoordinatorCheckpoint& checkpoint);

// What a run that goes on from a checkpoint keeps of `csv`, a frame_accuracy.csv's whole content: a
// FrameAccuracyHeader() and the lines that the checkpoint counts. An unfinished last line is not kept. The
// file's header may lack columns, as an earlier version's does; lines get empty values for them. DATA_LOSS,
// with the line's number, what it is and what is wanted: any other header or line.
absl::StatusOr<std::string> FrameAccuracyToKeep(absl::string_view csv, CountedLines counted);

// What the last whole line of `csv` says of the run, as a checkpoint that counts all its lines: updates,
// frames, rejected pushes and times. Without a line, nothing.
// DATA_LOSS: as FrameAccuracyToKeep().
absl::StatusOr<CoordinatorCheckpoint> LastLineAsCheckpoint(absl::string_view csv);

// The content of staleness.csv: "staleness,pushes", then a line for each staleness that was seen, ascending;
// from 1024 on a line stands for those up to 1/128 above it too (server/coordinator/staleness_histogram.h).
std::string StalenessCsv(const StalenessHistogram& staleness);

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_COORDINATOR_EVALUATION_LINE_H_
