// Where on the data's way: common/program, while a program runs; signals set a flag that long loops look at.
#ifndef DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_
#define DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_

namespace downpour {

// Handles SIGINT, SIGTERM and, unless it is ignored, SIGHUP. The same signal once more ends the process.
void CatchInterrupts();
// Whether one of the signals has come. Thread-safe.
bool Interrupted();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_INTERRUPT_H_
