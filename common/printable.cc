// Where on the data's way: common; finds the characters of UTF-8 (RFC 3629, section 4).
#include "common/printable.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

uint8_t ByteAt(absl::string_view text, size_t at) { return at < text.size() ? text[at] : 0; }

// The bytes of the UTF-8 character that `text` begins with; 0: it begins with none.
size_t CharacterBytes(absl::string_view text) {
  const uint8_t first = ByteAt(text, 0);
  if (first < 0x80) return 1;
  const size_t bytes = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  for (size_t i = 1; i < bytes; ++i)
    if ((ByteAt(text, i) & 0xC0) != 0x80) return 0;
  const uint8_t second = ByteAt(text, 1);
  // Too long for what it says, half of a UTF-16 pair, or beyond the last character.
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                     (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return wrong ? 0 : bytes;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const size_t bytes = CharacterBytes(text);
    if (bytes > 0 && !absl::ascii_iscntrl(text[0])) {
      printable.append(text.data(), bytes);
    } else if (text[0] == '\n' || text[0] == '\t') {
      printable.append(text[0] == '\n' ? "\\n" : "\\t");
    } else {
      absl::StrAppend(&printable, "\\x", absl::Hex(static_cast<uint8_t>(text[0]), absl::kZeroPad2));
    }
    text.remove_prefix(bytes > 0 ? bytes : 1);
  }
  return printable;
}

}  // namespace downpour
