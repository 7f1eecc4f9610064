// Where on the data's way: common; names of any bytes on their way into pages, JSON and terminals.
#include "common/printable.h"

#include <gtest/gtest.h>

namespace downpour {
namespace {

TEST(Printable, KeepsUtf8AndEscapesControlCharacters) {
  EXPECT_EQ(Printable("a \"b\" \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\x99"), "a \"b\" é € 🎙");
  EXPECT_EQ(Printable("a\nb\tc\x1B[31m\x7F"), "a\\nb\\tc\\x1b[31m\\x7f");
  EXPECT_EQ(Printable(absl::string_view("\0", 1)), "\\x00");
}

TEST(Printable, EscapesEachByteThatIsNoPartOfUtf8) {
  EXPECT_EQ(Printable("caf\xE9"), "caf\\xe9") << "Latin-1";
  EXPECT_EQ(Printable("\xE9 x"), "\\xe9 x");
  EXPECT_EQ(Printable("\xE2\x82"), "\\xe2\\x82") << "cut short";
  EXPECT_EQ(Printable("\xC0\xAF"), "\\xc0\\xaf") << "longer than needed";
  EXPECT_EQ(Printable("\xE0\x80\xAF"), "\\xe0\\x80\\xaf") << "longer than needed";
  EXPECT_EQ(Printable("\xED\xA0\x80"), "\\xed\\xa0\\x80") << "half of a pair";
  EXPECT_EQ(Printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond the last";
  EXPECT_EQ(Printable("\x80"), "\\x80");
}

}  // namespace
}  // namespace downpour
