// Where on the data's way: on the wire; which run and push a request is of, as a value and as a message.
#ifndef DOWNPOUR_COMMON_WIRE_RUN_IDENTITY_H_
#define DOWNPOUR_COMMON_WIRE_RUN_IDENTITY_H_

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/wire/push.h"
#include "common/wire/push_planes.h"
#include "proto/parameter_server.pb.h"

namespace downpour {

inline RunKey ToRunKey(const RunIdentity& run) {
  return {run.run_id(), run.layout_fingerprint(), run.view()};
}

inline void FillRunIdentity(const RunKey& run, RunIdentity* identity) {
  identity->set_run_id(run.run_id);
  identity->set_layout_fingerprint(run.layout_fingerprint);
  identity->set_view(run.view);
}

inline PushHeader ToPushHeader(const PushIdentity& push) {
  return {push.replica_id(), push.incarnation(), push.sequence(), push.fetched_version(), push.token()};
}

// INVALID_ARGUMENT: more planes than a push can have.
inline absl::StatusOr<size_t> PlanesOf(const PushIdentity& push) {
  const size_t planes = push.planes() == 0 ? 1 : push.planes();
  if (planes <= kMostPlanes) return planes;
  return absl::InvalidArgumentError(absl::StrCat("a push of ", planes, " planes, want 1 to ", kMostPlanes));
}

inline void FillPushIdentity(const RunKey& run, const PushHeader& header, PushIdentity::Elements elements,
                             size_t planes, PushIdentity* push) {
  FillRunIdentity(run, push->mutable_run());
  push->set_replica_id(header.replica_id);
  push->set_incarnation(header.incarnation);
  push->set_sequence(header.sequence);
  push->set_fetched_version(header.fetched_version);
  push->set_token(header.token);
  push->set_elements(elements);
  if (planes > 1) push->set_planes(static_cast<uint32_t>(planes));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_RUN_IDENTITY_H_
