// Where on the data's way: guards common/program/: run descriptions of any text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/check.h"
#include "common/program/run_description.h"
#include "common/program/run_description_rules.h"

// A description that is accepted must be the same after it is printed and read again. The first line, cut at
// "=", is also tried as a setting on the command line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace downpour;  // NOLINT
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<RunDescription> description = ParseRunDescription(text, "fuzz");
  if (description.ok()) {
    const absl::StatusOr<RunDescription> again = ParseRunDescription(description->DebugString(), "fuzz");
    DOWNPOUR_CHECK(again.ok() && again->SerializeAsString() == description->SerializeAsString());
    ValidateRunDescription(*description).IgnoreError();
  }
  const absl::string_view line = text.substr(0, text.find('\n'));
  if (const size_t equals = line.find('='); equals != absl::string_view::npos) {
    RunDescription changed = description.value_or(RunDescription());
    if (SetField(line.substr(0, equals), line.substr(equals + 1), &changed).ok()) {
      ValidateRunDescription(changed).IgnoreError();
    }
  }
  return 0;
}
