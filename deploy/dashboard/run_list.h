// Where on the data's way: the live page; a folder of runs comes in, the names of its run folders go out.
#ifndef DOWNPOUR_DEPLOY_DASHBOARD_RUN_LIST_H_
#define DOWNPOUR_DEPLOY_DASHBOARD_RUN_LIST_H_

#include <filesystem>
#include <string>
#include <vector>

namespace downpour {

struct ListedRun {
  std::string name;                             // its folder, from the folder of runs; "." for that itself
  std::filesystem::file_time_type last_change;  // of its log or its checkpoint
};

// The run folders (with run.textproto or frame_accuracy.csv) up to three levels below `root`, the one that
// changed last first, at most 1,000; or `root` itself, if it is one. Folders that cannot be read are left
// out, and links are not followed.
std::vector<ListedRun> ListRuns(const std::string& root);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_DASHBOARD_RUN_LIST_H_
