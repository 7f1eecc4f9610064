// Where on the data's way: in the virtual cluster; the order in which things happen in virtual time.
#ifndef DOWNPOUR_DEPLOY_IN_PROCESS_EVENT_QUEUE_H_
#define DOWNPOUR_DEPLOY_IN_PROCESS_EVENT_QUEUE_H_

#include <vector>

#include "proto/checkpoint.pb.h"

namespace downpour {

// Returns events by time, and those of the same time in the order in which they were scheduled. This order is
// total, so that equal seeds give equal runs. Scheduling and taking out cost O(log n). Not thread-safe.
class EventQueue {
 public:
  using Kind = VirtualClusterCheckpoint::Event::Kind;
  struct Event {
    int64_t time_ns = 0;  // virtual, since the run began
    uint64_t number = 0;  // in the order of scheduling, from 0
    Kind kind = {};
    uint32_t replica = 0;
    uint32_t shard = 0;
  };

  void Schedule(int64_t time_ns, Kind kind, uint32_t replica, uint32_t shard = 0);
  bool empty() const { return heap_.empty(); }
  // Takes out the earliest event. The queue must not be empty.
  Event Pop();

  void Save(VirtualClusterCheckpoint* checkpoint) const;
  // The queue must be empty.
  void Load(const VirtualClusterCheckpoint& checkpoint);

 private:
  void Push(const Event& event);

  std::vector<Event> heap_;
  uint64_t next_number_ = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_IN_PROCESS_EVENT_QUEUE_H_
