// Where on the data's way: makes the corpus's shards in processes; flite and pocketsphinx take one thread.
#ifndef DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_
#define DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "common/clock.h"

namespace downpour {

struct ForkedTasks {
  // Called in this process, also after a task has finished. Returns the next one to start, if any now.
  std::function<std::optional<int>()> next;
  // Called in a process forked for this task, so that the result cannot depend on earlier tasks. The process
  // is killed if this one ends.
  std::function<absl::Status(int task)> run;
  // Called in this process after `run` has succeeded.
  std::function<absl::Status(int task)> finished;
};

// Runs at most `jobs` tasks at a time until there are no more. At the first error of a task or of `finished`,
// kills the other tasks and returns it. INTERNAL: a task's process died (the message says by which signal or
// with which exit code). CANCELLED: Interrupted(). Call with one thread only.
absl::Status RunForked(const ForkedTasks& tasks, int jobs, Clock* clock);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_
