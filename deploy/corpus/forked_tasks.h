// Where on the data's way: beside it; makes the corpus's shards on all cores, in processes, because neither
// flite nor pocketsphinx can be used by two threads.
#ifndef DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_
#define DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "common/clock.h"

namespace downpour {

struct ForkedTasks {
  // The next task to start; nothing: none now, perhaps after another has finished. Called here.
  std::function<std::optional<int>()> next;
  // Called in a process of its own, forked from this one as it is then: what a task makes cannot depend on
  // which tasks ran before it. It dies with this process.
  std::function<absl::Status(int task)> run;
  // Called here once `run` has succeeded.
  std::function<absl::Status(int task)> finished;
};

// Runs at most `jobs` tasks at a time until there is none left. The first task's or `finished`'s error, when
// the other tasks have been killed. INTERNAL: a task's process died (the message says by which signal, or
// with which exit code).
// CANCELLED: Interrupted(). Call with one thread only.
absl::Status RunForked(const ForkedTasks& tasks, int jobs, Clock* clock);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_FORKED_TASKS_H_
