// Where on the data's way: from an scp file's lines to the places of objects; parses paths, offsets, ranges.
#include "worker/data/kaldi_scp.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

// `directory` is the scp's, with a '/' at its end.
std::string FindArchive(const std::string& directory, const std::string& given) {
  if (given.front() == '/') return given;
  const std::string beside = directory + given;
  const bool bare = given.find('/') == std::string::npos;
  const std::string& first = bare ? beside : given;
  const std::string& second = bare ? given : beside;
  return access(first.c_str(), F_OK) == 0 || access(second.c_str(), F_OK) != 0 ? first : second;
}

// "3:10", or ":" for all. False: neither.
bool ParseEnds(absl::string_view text, int64_t* first, int64_t* last) {
  if (text == ":") return true;
  const std::pair<absl::string_view, absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits(':', 1));
  return absl::SimpleAtoi(ends.first, first) && absl::SimpleAtoi(ends.second, last) && 0 <= *first &&
         *first <= *last;
}

// Takes the range in square brackets from the end of `place`, if there is one.
absl::Status TakeRange(absl::string_view* place, MatrixRange* range) {
  if (!absl::EndsWith(*place, "]")) return absl::OkStatus();
  const size_t open = place->rfind('[');
  const absl::string_view text = place->substr(open == absl::string_view::npos ? 0 : open + 1);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::StripSuffix(text, "]"), absl::MaxSplits(',', 1));
  if (open == absl::string_view::npos || !ParseEnds(parts.first, &range->first_row, &range->last_row) ||
      (absl::StrContains(text, ',') && !ParseEnds(parts.second, &range->first_col, &range->last_col))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", absl::CHexEscape(*place),
        "\" ends in no range of rows, such as [0:10], or rows and columns, such as [0:10,0:39]"));
  }
  *place = absl::StripTrailingAsciiWhitespace(place->substr(0, open));
  return absl::OkStatus();
}

absl::StatusOr<ScpEntry> ParseScpLine(absl::string_view line) {
  ScpEntry entry;
  const size_t key_end = line.find_first_of(" \t");
  entry.key = std::string(line.substr(0, key_end));
  absl::string_view place = absl::StripAsciiWhitespace(
      key_end == absl::string_view::npos ? absl::string_view() : line.substr(key_end));
  if (entry.key.empty() || place.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(line), "\", want \"key archive:offset\""));
  }
  RETURN_IF_ERROR(TakeRange(&place, &entry.range));
  if (absl::StartsWith(place, "|") || place == "-") {
    return absl::UnimplementedError(
        absl::StrCat("\"", absl::CHexEscape(place), "\": neither standard input nor a command's is read"));
  }
  entry.is_command = absl::ConsumeSuffix(&place, "|");
  const size_t colon = place.rfind(':');
  if (!entry.is_command && colon != absl::string_view::npos) {
    const absl::string_view offset = place.substr(colon + 1);
    if (!offset.empty() && offset.find_first_not_of("0123456789") == absl::string_view::npos) {
      if (!absl::SimpleAtoi(offset, &entry.offset))
        return absl::InvalidArgumentError(absl::StrCat("offset ", offset, ", want one below 2^63"));
      place = place.substr(0, colon);
    }
  }
  if (place.empty())
    return absl::InvalidArgumentError("neither an archive nor a command, want \"key archive:offset\"");
  entry.path = std::string(place);
  return entry;
}

}  // namespace

absl::StatusOr<std::vector<ScpEntry>> ParseScp(absl::string_view text, absl::string_view name) {
  std::vector<ScpEntry> entries;
  int64_t line_number = 0;
  absl::ConsumePrefix(&text, kByteOrderMark);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    absl::StatusOr<ScpEntry> entry = ParseScpLine(line);
    if (!entry.ok()) {
      return absl::Status(entry.status().code(),
                          absl::StrCat(name, ":", line_number, ": ", entry.status().message()));
    }
    entry->line = line_number;
    entries.push_back(*std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::vector<ScpEntry>> ReadScp(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ASSIGN_OR_RETURN(std::vector<ScpEntry> entries, ParseScp(text, path));
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  std::string last_given;
  std::string last_taken;
  for (ScpEntry& entry : entries) {
    if (entry.is_command) continue;
    if (entry.path != last_given) {
      last_given = entry.path;
      last_taken = FindArchive(directory, entry.path);
    }
    entry.path = last_taken;
  }
  return entries;
}

absl::StatusOr<MatrixRange> Within(const MatrixRange& range, int64_t rows, int64_t cols) {
  constexpr int64_t kMostRowsBeyond = 3;
  MatrixRange taken = range;
  taken.last_row = range.last_row < 0 ? rows - 1 : std::min(range.last_row, rows - 1);
  if (range.last_col < 0) taken.last_col = cols - 1;
  const bool whole = range == MatrixRange();  // an empty matrix, too
  if (whole || (taken.first_row <= taken.last_row && range.last_row < rows + kMostRowsBeyond &&
                taken.first_col <= taken.last_col && taken.last_col < cols)) {
    return taken;
  }
  return absl::InvalidArgumentError(absl::StrCat("rows ", range.first_row, " to ", range.last_row,
                                                 " and columns ", range.first_col, " to ", range.last_col,
                                                 " (-1: the last) of a matrix of ", rows, " rows and ", cols,
                                                 " columns, want them within it"));
}

}  // namespace downpour
