// Where on the data's way: deploy/grid, before many runs; a grid's description comes in, its runs go out.
#ifndef DOWNPOUR_DEPLOY_GRID_GRID_H_
#define DOWNPOUR_DEPLOY_GRID_GRID_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"
#include "proto/grid.pb.h"

namespace downpour {

// Fields of a run description and their values, as SetField takes them.
using Settings = std::vector<std::pair<std::string, std::string>>;

// One run of a grid. A value.
struct GridRun {
  // The names of its values and its seed, e.g. "10-SGD_0.03-seed1": letters, digits and "-_." only.
  std::string name;
  std::vector<std::string> values;  // the name of its value in each dimension
  Settings settings;                // all that the base lacks, each field once, the name and seed included
  RunDescription description;       // the base with these settings
};

// NOT_FOUND, UNAVAILABLE: the file cannot be read. INVALID_ARGUMENT, "path:line:column: what": it is no grid.
absl::StatusOr<GridDescription> ReadGrid(const std::string& path);

// Keeps the values that `only` names, e.g. "replicas=1,10,optimizer=SGD". A dimension that is not named keeps
// all. One that has a field also takes names it does not list. INVALID_ARGUMENT: no such dimension or value.
absl::Status KeepOnly(absl::string_view only, GridDescription* grid);

// All runs, in the order in which they are made. `base` is what the file grid.base holds. `overrides` are set
// in every run, and replace what the grid sets for all. INVALID_ARGUMENT, naming dimension and value: a field
// that SetField refuses or that `overrides` sets too, two runs of one name, or two that would be the same.
absl::StatusOr<std::vector<GridRun>> ExpandGrid(const GridDescription& grid, const RunDescription& base,
                                                const Settings& overrides);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_GRID_GRID_H_
