// Where on the data's way: beside it; Ctrl-C and SIGTERM as a flag.
#include "common/interrupt.h"

#include <csignal>

namespace downpour {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void OnSignal(int signal_number) {
  interrupted = 1;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void CatchInterrupts() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
}

bool Interrupted() { return interrupted != 0; }

}  // namespace downpour
