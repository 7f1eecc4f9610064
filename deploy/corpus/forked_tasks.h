// Where on the data's way: makes the corpus's shards in processes; flite and pocketsphinx take one thread.
#ifndef DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_
#define DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "common/clock.h"

namespace downpour {

struct ForkedTasks {
  // Returns the next task to start, or nothing if there is none now; there may be one after another task has
  // finished. Called in this process.
  std::function<std::optional<int>()> next;
  // Called in a process of its own, which is forked from this one for this task, so that the result cannot
  // depend on which tasks ran before. It is killed if this process ends.
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
