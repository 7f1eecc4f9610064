// Where on the data's way: common/program, at the start of every program; how many files it may have open.
#ifndef DOWNPOUR_COMMON_PROGRAM_DESCRIPTOR_LIMIT_H_
#define DOWNPOUR_COMMON_PROGRAM_DESCRIPTOR_LIMIT_H_

namespace downpour {

// Descriptors that connections leave to files: those of logs, checkpoints, locks and gRPC's own.
inline constexpr int kReservedDescriptors = 64;

// Raises the soft limit of open descriptors (ulimit -n), which is often 1024, to the hard one. Every
// connection of a replica takes one. The limit stays as it is where the system refuses.
void RaiseDescriptorLimit();

// The lowest number of a descriptor that a connection must not have; the system gives out the lowest free
// one. Half of the limit where that is below twice kReservedDescriptors.
int ConnectionDescriptorsEnd();

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_DESCRIPTOR_LIMIT_H_
