// Where on the data's way: common/program, while a program runs; Ctrl-C, SIGTERM and SIGHUP set a flag that
// long loops look at.
#ifndef DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_
#define DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_

namespace downpour {

// Installs handlers for SIGINT, SIGTERM and, unless it is ignored, SIGHUP. The same signal a second time ends
// the process at once.
void CatchInterrupts();
// Whether one of the signals has come. Thread-safe.
bool Interrupted();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_
