// Where on the data's way: the shard's end of the wire; what its server tells those who watch it.
#ifndef DOWNPOUR_SERVER_SERVICE_SHARD_REPORT_H_
#define DOWNPOUR_SERVER_SERVICE_SHARD_REPORT_H_

#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "common/metrics/metric_families.h"
#include "proto/coordinator.pb.h"
#include "server/service/parameter_service.h"
#include "server/service/shared_memory_service.h"
#include "server/shard/checkpointer.h"

namespace downpour {

// The numbers of one server: for its metrics, for the coordinator, and for its health. Thread-safe.
class ShardReport {
 public:
  // Neither service is owned, and both outlive this; `shared_memory` may be null.
  // `folder`: of the checkpoints.
  ShardReport(const ParameterService* service, const SharedMemoryService* shared_memory, std::string folder)
      : service_(service), shared_memory_(shared_memory), folder_(std::move(folder)) {}

  // From now on the server has this shard.
  void Serve(std::shared_ptr<const ParameterShard> shard, std::shared_ptr<const Checkpointer> checkpointer);

  // To be called once it has a shard.
  ShardActivity Activity() const;
  void AddTo(MetricFamilies* families) const;

 private:
  const ParameterService* const service_;
  const SharedMemoryService* const shared_memory_;
  const std::string folder_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const ParameterShard> shard_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Checkpointer> checkpointer_ ABSL_GUARDED_BY(mutex_);  // refers to *shard_
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_SHARD_REPORT_H_
