// Where on the data's way: beside it; Ctrl-C, SIGTERM and SIGHUP as a flag.
#include "common/program/interrupt.h"

#include <atomic>
#include <csignal>

namespace downpour {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch no other");
std::atomic<bool> interrupted = false;

void OnSignal(int signal_number) {
  interrupted = true;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void CatchInterrupts() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  // nohup lets programs ignore it, and wants them to go on.
  if (std::signal(SIGHUP, OnSignal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

bool Interrupted() { return interrupted; }

}  // namespace downpour
