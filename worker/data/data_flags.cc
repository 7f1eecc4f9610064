// Where on the data's way: before the readers; flags of the programs that read data.
#include "worker/data/data_flags.h"

#include "absl/flags/flag.h"

ABSL_FLAG(
    bool, allow_commands, false,
    "run the commands that stand in feats.scp in place of archives (gunzip -c x.ark.gz |); only for data "
    "that you trust");

namespace downpour {

FeatureOptions DataFlags() {
  FeatureOptions options;
  options.allow_commands = absl::GetFlag(FLAGS_allow_commands);
  return options;
}

}  // namespace downpour
