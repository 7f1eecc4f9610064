// Where on the data's way: common/program, while a program runs; the signal handler and its flag.
#include "common/program/interrupt.h"

#include <atomic>
#include <csignal>

namespace downpour {
namespace {

static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may use only lock-free atomics");
std::atomic<bool> interrupted = false;

void OnSignal(int signal_number) {
  interrupted = true;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void CatchInterrupts() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  // A program that nohup started ignores SIGHUP, and is to go on ignoring it.
  if (std::signal(SIGHUP, OnSignal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

bool Interrupted() { return interrupted; }

}  // namespace downpour
