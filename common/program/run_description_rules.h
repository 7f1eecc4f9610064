// Where on the data's way: common/program, before a run; which descriptions make a run, which two the same.
#ifndef DOWNPOUR_COMMON_PROGRAM_RUN_DESCRIPTION_RULES_H_
#define DOWNPOUR_COMMON_PROGRAM_RUN_DESCRIPTION_RULES_H_

#include "absl/status/status.h"
#include "proto/config.pb.h"

namespace downpour {

// INVALID_ARGUMENT naming the first field out of its range, the value seen and the value wanted.
absl::Status ValidateRunDescription(const RunDescription& description);
// The part of that which wants exactly one kind of data. INVALID_ARGUMENT: none or two.
absl::Status CheckKindOfData(const DataDescription& data);

// Whether two descriptions are of the same run: equal but for the fields that the .cc lists, which do not
// change what is computed (name, budget, where the data lies and the like). A field that is absent equals its
// default. FAILED_PRECONDITION naming the first difference otherwise.
absl::Status CheckSameRun(const RunDescription& seen, const RunDescription& wanted);
// The same where replicas are processes: the fields that only the in-process cluster reads may differ too
// (cluster.replicas not if cluster.consistency is SYNCHRONOUS).
absl::Status CheckSameProcessRun(const RunDescription& seen, const RunDescription& wanted);

// FAILED_PRECONDITION: cluster.shards differs, in which a run may change only with the flag --reshard.
absl::Status CheckSameShards(const RunDescription& seen, const RunDescription& wanted);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PROGRAM_RUN_DESCRIPTION_RULES_H_
