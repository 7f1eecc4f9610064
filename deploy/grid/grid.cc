// Where on the data's way: deploy/grid, before many runs; multiplies the dimensions, merges what they set.
#include "deploy/grid/grid.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/file/file.h"
#include "common/program/run_description.h"
#include "common/status_macros.h"
#include "common/wire/serialize.h"

namespace downpour {
namespace {

// "--field=value" or "field=value" for each. `where` is the part of the grid that an error names.
template <typename Strings>
absl::StatusOr<Settings> ParseSettings(const Strings& texts, absl::string_view where) {
  Settings settings;
  for (absl::string_view text : texts) {
    absl::ConsumePrefix(&text, "--");
    if (text.find('=') == absl::string_view::npos)
      return absl::InvalidArgumentError(absl::StrCat(where, " sets '", text, "', want field=value"));
    const std::pair<std::string, std::string> setting = absl::StrSplit(text, absl::MaxSplits('=', 1));
    RunDescription scratch;
    if (const absl::Status set = SetField(setting.first, setting.second, &scratch); !set.ok())
      return absl::InvalidArgumentError(absl::StrCat(where, ": ", set.message()));
    settings.push_back(setting);
  }
  return settings;
}

// downpour-train takes a field once, so a later value takes the place of an earlier one.
void Merge(const Settings& more, Settings* settings) {
  for (const auto& setting : more) {
    std::erase_if(*settings, [&](const auto& old) { return old.first == setting.first; });
    settings->push_back(setting);
  }
}

std::string FolderName(std::string text) {
  for (char& c : text)
    if (!absl::ascii_isalnum(c) && c != '.' && c != '-') c = '_';
  return text;
}

// Each run so far with each value of the dimension. These set no field that `overrides` sets for all runs.
absl::StatusOr<std::vector<GridRun>> Extend(const std::vector<GridRun>& runs, const GridDimension& dimension,
                                            const Settings& overrides) {
  if (dimension.name().empty() || dimension.value().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("dimension '", dimension.name(), "' has ",
                                                   dimension.value_size(),
                                                   " values, want a name and one value or more"));
  }
  std::vector<Settings> settings;  // of each value
  for (const GridValue& value : dimension.value()) {
    std::vector<std::string> set(value.set().begin(), value.set().end());
    if (set.empty() && dimension.has_field())
      set.push_back(absl::StrCat(dimension.field(), "=", value.name()));
    const std::string where = absl::StrCat("dimension '", dimension.name(), "', value '", value.name(), "'");
    ASSIGN_OR_RETURN(settings.emplace_back(), ParseSettings(set, where));
    for (const auto& setting : settings.back()) {
      const auto same_field = [&](const auto& other) { return other.first == setting.first; };
      if (std::any_of(overrides.begin(), overrides.end(), same_field))
        return absl::InvalidArgumentError(absl::StrCat("--", setting.first, " is what dimension '",
                                                       dimension.name(),
                                                       "' sets, want --only=", dimension.name(), "=..."));
    }
  }
  std::vector<GridRun> extended;
  for (const GridRun& run : runs) {
    for (int i = 0; i < dimension.value_size(); ++i) {
      GridRun& next = extended.emplace_back(run);
      next.values.push_back(dimension.value(i).name());
      Merge(settings[i], &next.settings);
    }
  }
  return extended;
}

absl::Status Describe(const RunDescription& base, GridRun* run) {
  run->description = base;
  for (const auto& [path, value] : run->settings) RETURN_IF_ERROR(SetField(path, value, &run->description));
  return absl::OkStatus();
}

absl::Status CheckDifferent(const std::vector<GridRun>& runs) {
  std::map<std::string, std::string> descriptions;
  std::set<std::string> names;
  for (const GridRun& run : runs) {
    RunDescription nameless = run.description;
    nameless.clear_name();
    const auto [same, added] = descriptions.emplace(SerializeSmall(nameless), run.name);
    if (!added) {
      return absl::InvalidArgumentError(absl::StrCat("'", same->second, "' and '", run.name,
                                                     "' are the same run, want seeds and values that differ ",
                                                     "in what they set"));
    }
    if (!names.insert(run.name).second) {
      return absl::InvalidArgumentError(absl::StrCat("two runs have the name '", run.name,
                                                     "', want names of values that differ in letters, ",
                                                     "digits, '.' or '-'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GridDescription> ReadGrid(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  GridDescription grid;
  RETURN_IF_ERROR(MergeTextproto(text, path, &grid));
  return grid;
}

absl::Status KeepOnly(absl::string_view only, GridDescription* grid) {
  std::map<GridDimension*, std::vector<GridValue>> kept;
  GridDimension* dimension = nullptr;
  for (absl::string_view name : absl::StrSplit(only, ',', absl::SkipEmpty())) {
    const auto named = std::find_if(
        grid->mutable_dimension()->begin(), grid->mutable_dimension()->end(),
        [&](const GridDimension& d) { return absl::ConsumePrefix(&name, absl::StrCat(d.name(), "=")); });
    if (named != grid->mutable_dimension()->end()) dimension = &*named;
    if (dimension == nullptr) {
      const auto append_name = [](std::string* out, const GridDimension& d) { out->append(d.name()); };
      return absl::InvalidArgumentError(absl::StrCat("--only is '", only,
                                                     "', want DIMENSION=VALUE,... with a dimension among ",
                                                     absl::StrJoin(grid->dimension(), ", ", append_name)));
    }
    const auto& values = dimension->value();
    const auto listed = std::find_if(values.begin(), values.end(),
                                     [&](const GridValue& value) { return value.name() == name; });
    if (listed == values.end() && !dimension->has_field()) {
      const auto append_name = [](std::string* out, const GridValue& value) { out->append(value.name()); };
      return absl::InvalidArgumentError(absl::StrCat("--only: dimension '", dimension->name(),
                                                     "' has no value '", name, "', want one of ",
                                                     absl::StrJoin(values, ", ", append_name)));
    }
    GridValue& value = kept[dimension].emplace_back();
    if (listed != values.end()) value = *listed;
    value.set_name(std::string(name));
  }
  for (const auto& [chosen, values] : kept) chosen->mutable_value()->Assign(values.begin(), values.end());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<GridRun>> ExpandGrid(const GridDescription& grid, const RunDescription& base,
                                                const Settings& overrides) {
  GridRun common;
  ASSIGN_OR_RETURN(common.settings, ParseSettings(grid.set(), "the grid"));
  RETURN_IF_ERROR(Describe(base, &common));
  std::vector<uint64_t> seeds(grid.seed().begin(), grid.seed().end());
  if (seeds.empty()) seeds.push_back(common.description.seed());
  std::vector<GridRun> runs;
  for (const uint64_t seed : seeds) {
    GridRun& run = runs.emplace_back(common);
    Merge({{"seed", absl::StrCat(seed)}}, &run.settings);
  }
  for (const GridDimension& dimension : grid.dimension()) {
    ASSIGN_OR_RETURN(runs, Extend(runs, dimension, overrides));
  }
  for (GridRun& run : runs) {
    Merge(overrides, &run.settings);
    RETURN_IF_ERROR(Describe(base, &run));
    for (const std::string& value : run.values) absl::StrAppend(&run.name, FolderName(value), "-");
    absl::StrAppend(&run.name, "seed", run.description.seed());
    Merge({{"name", run.name}}, &run.settings);
    run.description.set_name(run.name);
  }
  RETURN_IF_ERROR(CheckDifferent(runs));
  return runs;
}

}  // namespace downpour
