// Where on the data's way: beside it; how much room there is where a program writes.
#ifndef DOWNPOUR_COMMON_METRICS_DISK_METRICS_H_
#define DOWNPOUR_COMMON_METRICS_DISK_METRICS_H_

#include <filesystem>
#include <string>

#include "common/metrics/metric_families.h"

namespace downpour {

// Adds the room of the file system that `folder` is on. Nothing where that cannot be told.
inline void AddDiskMetrics(const std::string& folder, MetricFamilies* families) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  if (error) return;
  families->AddGauge("downpour_disk_available_bytes", "Room on the disk of the program's folder.",
                     static_cast<double>(space.available));
  families->AddGauge("downpour_disk_size_bytes", "Size of that disk.", static_cast<double>(space.capacity));
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_METRICS_DISK_METRICS_H_
