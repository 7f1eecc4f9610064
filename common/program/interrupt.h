// Where on the data's way: beside it; Ctrl-C, SIGTERM and SIGHUP as a flag that long loops look at.
#ifndef DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_
#define DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_

namespace downpour {

// Installs handlers for SIGINT, SIGTERM and, unless it is ignored, SIGHUP; the same signal again ends the
// process at once. Call from main.
void CatchInterrupts();
// Thread-safe.
bool Interrupted();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_
