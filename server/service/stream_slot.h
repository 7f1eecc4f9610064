// Where on the data's way: the shard's end of the wire; a push's or a fetch's place among those under way.
#ifndef DOWNPOUR_SERVER_SERVICE_STREAM_SLOT_H_
#define DOWNPOUR_SERVER_SERVICE_STREAM_SLOT_H_

#include <atomic>

namespace downpour {

// Counts the streams of one kind that are under way, and grants a new one if there is room for it.
class StreamSlot {
 public:
  StreamSlot(std::atomic<int>* count, int limit) : count_(count), granted_(count->fetch_add(1) < limit) {}
  bool granted() const { return granted_; }
  // To be called once, when the stream's work is done and before its peer is told, who may return at once.
  void Release() { --*count_; }

 private:
  std::atomic<int>* const count_;
  const bool granted_;
};

}  // namespace downpour

#endif  // DOWNPOUR_SERVER_SERVICE_STREAM_SLOT_H_
