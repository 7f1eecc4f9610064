// Where on the data's way: a binary heap of events by time and number.
#include "deploy/in_process/event_queue.h"

#include <algorithm>

namespace downpour {
namespace {

bool Later(const EventQueue::Event& a, const EventQueue::Event& b) {
  return a.time_ns != b.time_ns ? a.time_ns > b.time_ns : a.number > b.number;
}

}  // namespace

void EventQueue::Schedule(int64_t time_ns, Kind kind, uint32_t replica, uint32_t shard) {
  Push({time_ns, next_number_++, kind, replica, shard});
}

void EventQueue::Push(const Event& event) {
  heap_.push_back(event);
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

EventQueue::Event EventQueue::Pop() {
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  const Event event = heap_.back();
  heap_.pop_back();
  return event;
}

void EventQueue::Save(VirtualClusterCheckpoint* checkpoint) const {
  checkpoint->set_next_event_number(next_number_);
  for (const Event& event : heap_) {
    VirtualClusterCheckpoint::Event* const saved = checkpoint->add_events();
    saved->set_time_ns(event.time_ns);
    saved->set_number(event.number);
    saved->set_kind(event.kind);
    saved->set_replica(event.replica);
    saved->set_shard(event.shard);
  }
}

void EventQueue::Load(const VirtualClusterCheckpoint& checkpoint) {
  next_number_ = checkpoint.next_event_number();
  for (const VirtualClusterCheckpoint::Event& event : checkpoint.events()) {
    Push({event.time_ns(), event.number(), event.kind(), event.replica(), event.shard()});
  }
}

}  // namespace downpour
