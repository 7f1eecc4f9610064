// Where on the data's way: common; names and paths of any bytes on their way into pages, JSON and terminals.
#ifndef DOWNPOUR_COMMON_PRINTABLE_H_
#define DOWNPOUR_COMMON_PRINTABLE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace downpour {

// `text` as valid UTF-8 without control characters, which XML, JSON and CSV readers refuse: what it may not
// hold is written as \n, \t or \xNN. Names and paths in UTF-8 stay as they are. Thread-safe.
std::string Printable(absl::string_view text);

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_PRINTABLE_H_
