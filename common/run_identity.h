// Where on the data's way: at both ends of the wire; which run a request is of, as a value and as a message.
#ifndef DOWNPOUR_COMMON_RUN_IDENTITY_H_
#define DOWNPOUR_COMMON_RUN_IDENTITY_H_

#include "common/push.h"
#include "proto/parameter_server.pb.h"

namespace downpour {

inline RunKey ToRunKey(const RunIdentity& run) { return {run.run_id(), run.layout_fingerprint()}; }

inline void FillRunIdentity(const RunKey& run, RunIdentity* identity) {
  identity->set_run_id(run.run_id);
  identity->set_layout_fingerprint(run.layout_fingerprint);
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_RUN_IDENTITY_H_
