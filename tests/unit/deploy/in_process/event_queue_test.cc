// Where on the data's way: guards deploy/in_process/: events come out by time, and those of one time in the
// order of scheduling.
#include "deploy/in_process/event_queue.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using Event = VirtualClusterCheckpoint::Event;
using ::testing::ElementsAre;

// The replicas of the next `events` events.
std::vector<uint32_t> PopReplicas(EventQueue* queue, int events) {
  std::vector<uint32_t> replicas;
  for (int i = 0; i < events; ++i) replicas.push_back(queue->Pop().replica);
  return replicas;
}

TEST(EventQueueTest, GivesBackWhatWasScheduled) {
  EventQueue queue;
  queue.Schedule(7, Event::PUSHED, 3, 2);
  const EventQueue::Event event = queue.Pop();
  EXPECT_EQ(event.time_ns, 7);
  EXPECT_EQ(event.kind, Event::PUSHED);
  EXPECT_EQ(event.replica, 3);
  EXPECT_EQ(event.shard, 2);
}

TEST(EventQueueTest, PopsByTime) {
  EventQueue queue;
  queue.Schedule(30, Event::REPORT, 3);
  queue.Schedule(10, Event::REPORT, 1);
  queue.Schedule(20, Event::REPORT, 2);
  EXPECT_EQ(queue.Pop().replica, 1);
  queue.Schedule(15, Event::REPORT, 15);
  queue.Schedule(5, Event::REPORT, 5);  // earlier than the event popped last, but still the next
  EXPECT_THAT(PopReplicas(&queue, 4), ElementsAre(5, 15, 2, 3));
}

TEST(EventQueueTest, TiesComeInTheOrderOfScheduling) {
  EventQueue queue;
  for (uint32_t i = 0; i < 100; ++i) queue.Schedule(i % 2, Event::REPORT, i);
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i < 100; i += 2) expected.push_back(i);
  for (uint32_t i = 1; i < 100; i += 2) expected.push_back(i);
  EXPECT_EQ(PopReplicas(&queue, 100), expected);
}

TEST(EventQueueTest, PopsRandomTimesAsAStableSortOrdersThem) {
  EventQueue queue;
  Random random(1);
  std::vector<std::pair<int64_t, uint32_t>> scheduled;
  for (uint32_t i = 0; i < 1000; ++i) {
    scheduled.emplace_back(random.Below(50), i);
    queue.Schedule(scheduled.back().first, Event::REPORT, i);
  }
  std::stable_sort(scheduled.begin(), scheduled.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [time_ns, replica] : scheduled) {
    const EventQueue::Event event = queue.Pop();
    ASSERT_EQ(event.time_ns, time_ns);
    ASSERT_EQ(event.replica, replica);
  }
}

// Events scheduled after the restore come after earlier ones of the same time.
TEST(EventQueueTest, GoesOnFromACheckpointAsIfNothingHadHappened) {
  EventQueue queue;
  for (uint32_t i = 0; i < 10; ++i) queue.Schedule(i % 3, Event::FETCHED, i, i + 1);
  queue.Pop();
  VirtualClusterCheckpoint checkpoint;
  queue.Save(&checkpoint);
  ASSERT_EQ(checkpoint.events_size(), 9);
  EventQueue restored;
  restored.Load(checkpoint);
  for (EventQueue* each : {&queue, &restored}) each->Schedule(1, Event::REPORT, 77);
  for (int i = 0; i < 10; ++i) {
    const EventQueue::Event wanted = queue.Pop(), seen = restored.Pop();
    EXPECT_EQ(seen.time_ns, wanted.time_ns) << i;
    EXPECT_EQ(seen.number, wanted.number) << i;
    EXPECT_EQ(seen.kind, wanted.kind) << i;
    EXPECT_EQ(seen.replica, wanted.replica) << i;
    EXPECT_EQ(seen.shard, wanted.shard) << i;
  }
}

}  // namespace
}  // namespace downpour
