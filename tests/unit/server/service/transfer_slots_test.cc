// Where on the data's way: at the shard's end of the wire; who may send or be read next.
#include "server/service/transfer_slots.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

TEST(TransferSlotsTest, NoMoreAtOnceThanThereAreSlots) {
  TransferSlots slots(2);
  int under_way = 0;
  for (int stream = 0; stream < 5; ++stream) slots.Acquire(slots.Arrive(), [&] { ++under_way; });
  EXPECT_EQ(under_way, 2);
  for (int released = 1; released <= 3; ++released) {
    slots.Release();
    EXPECT_EQ(under_way, 2 + released);
  }
  slots.Release();
  slots.Release();
  slots.Acquire(slots.Arrive(), [&] { ++under_way; });
  EXPECT_EQ(under_way, 6);
}

TEST(TransferSlotsTest, WhoCameFirstGoesFirstHoweverLateItAsks) {
  TransferSlots slots(1);
  const uint64_t first = slots.Arrive(), second = slots.Arrive(), third = slots.Arrive();
  std::vector<int> order;
  slots.Acquire(third, [&] { order.push_back(3); });
  slots.Acquire(second, [&] { order.push_back(2); });
  slots.Acquire(first, [&] { order.push_back(1); });
  slots.Release();
  EXPECT_THAT(order, ElementsAre(3, 1));
  slots.Acquire(first, [&] { order.push_back(1); });
  slots.Release();
  slots.Release();
  EXPECT_THAT(order, ElementsAre(3, 1, 1, 2));
}

// As a stream does whose chunk is read at once.
TEST(TransferSlotsTest, ATransferMayReleaseAndAskAgain) {
  TransferSlots slots(1);
  const uint64_t place = slots.Arrive();
  int transfers = 0;
  std::function<void()> transfer = [&] {
    if (++transfers == 100) return;
    slots.Release();
    slots.Acquire(place, transfer);
  };
  slots.Acquire(place, transfer);
  EXPECT_EQ(transfers, 100);
}

}  // namespace
}  // namespace downpour
