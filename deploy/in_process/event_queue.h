// Where on the data's way: inside the virtual cluster; what happens next in virtual time.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_EVENT_QUEUE_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_EVENT_QUEUE_H_

#include <cstdint>
#include <vector>

#include "proto/checkpoint.pb.h"

namespace downpour {

// Events by ascending (time, order of scheduling): a total order, so that equal seeds give equal runs. O(log
// n) each way. Not thread-safe.
class EventQueue {
 public:
  using Kind = VirtualClusterCheckpoint::Event::Kind;
  struct Event {
    int64_t time_ns = 0;  // virtual, since the run began
    uint64_t number = 0;  // of scheduling
    Kind kind = {};
    uint32_t replica = 0;
    uint32_t shard = 0;
  };

  void Schedule(int64_t time_ns, Kind kind, uint32_t replica, uint32_t shard = 0);
  // Takes the earliest event out; there must be one.
  Event Pop();

  void Save(VirtualClusterCheckpoint* checkpoint) const;
  // Into an empty queue.
  void Load(const VirtualClusterCheckpoint& checkpoint);

 private:
  void Push(const Event& event);

  std::vector<Event> heap_;
  uint64_t next_number_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_EVENT_QUEUE_H_
