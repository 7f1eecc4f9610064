// Where on the data's way: at the shard's end of the wire; who may send or be read next.
#include "server/service/transfer_slots.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

TEST(TransferSlotsTest, NoMoreAtOnceThanThereAreSlots) {
  TransferSlots slots(2);
  int under_way = 0;
  for (int stream = 0; stream < 5; ++stream)
    slots.Acquire(slots.Arrive(absl::StrCat(stream)), [&] { ++under_way; });
  EXPECT_EQ(under_way, 2);
  for (int released = 1; released <= 3; ++released) {
    slots.Release(absl::StrCat(released - 1));
    EXPECT_EQ(under_way, 2 + released);
  }
  slots.Release("3");
  slots.Release("4");
  slots.Acquire(slots.Arrive("5"), [&] { ++under_way; });
  EXPECT_EQ(under_way, 6);
}

TEST(TransferSlotsTest, WhoCameFirstGoesFirstHoweverLateItAsks) {
  TransferSlots slots(1);
  const auto first = slots.Arrive("1"), second = slots.Arrive("2"), third = slots.Arrive("3");
  std::vector<int> order;
  slots.Acquire(third, [&] { order.push_back(3); });
  slots.Acquire(second, [&] { order.push_back(2); });
  slots.Acquire(first, [&] { order.push_back(1); });
  slots.Release("3");
  EXPECT_THAT(order, ElementsAre(3, 1));
  slots.Acquire(first, [&] { order.push_back(1); });
  slots.Release("1");
  slots.Release("1");
  EXPECT_THAT(order, ElementsAre(3, 1, 1, 2));
}

TEST(TransferSlotsTest, APeerHoldsHalfOfTheSlotsAndOthersGoBeforeItsNext) {
  TransferSlots slots(4);
  int greedy = 0, other = 0;
  for (int stream = 0; stream < 4; ++stream) slots.Acquire(slots.Arrive("greedy"), [&] { ++greedy; });
  EXPECT_EQ(greedy, 2);
  for (int stream = 0; stream < 3; ++stream)
    slots.Acquire(slots.Arrive(absl::StrCat("other ", stream)), [&] { ++other; });
  EXPECT_EQ(other, 2);
  slots.Release("other 0");
  EXPECT_EQ(other, 3) << "though it came after the greedy peer's";
  EXPECT_EQ(greedy, 2);
  slots.Release("greedy");
  EXPECT_EQ(greedy, 3);
}

// As a stream does whose chunk is read at once.
TEST(TransferSlotsTest, ATransferMayReleaseAndAskAgain) {
  TransferSlots slots(1);
  const auto place = slots.Arrive("peer");
  int transfers = 0;
  std::function<void()> transfer = [&] {
    if (++transfers == 100) return;
    slots.Release("peer");
    slots.Acquire(place, transfer);
  };
  slots.Acquire(place, transfer);
  EXPECT_EQ(transfers, 100);
}

// Its peer may hold all its slots for ever, when it takes no bytes.
TEST(TransferSlotsTest, AStreamThatIsCancelledWaitsForNoSlot) {
  TransferSlots slots(1);
  const auto holder = slots.Arrive("peer"), waiter = slots.Arrive("peer"), late = slots.Arrive("peer");
  int transfers = 0;
  const auto transfer = [&] { ++transfers; };
  EXPECT_TRUE(slots.Acquire(holder, transfer));
  EXPECT_TRUE(slots.Acquire(waiter, transfer));
  EXPECT_TRUE(slots.GiveUp(waiter)) << "it waited";
  EXPECT_FALSE(slots.GiveUp(late));
  EXPECT_FALSE(slots.Acquire(late, transfer)) << "it was given up before it came to wait";
  EXPECT_FALSE(slots.GiveUp(holder));
  EXPECT_EQ(transfers, 1);
  slots.Release("peer");
  EXPECT_EQ(transfers, 1) << "nobody waits";
  for (const auto& place : {holder, waiter, late}) slots.Leave(place);
  EXPECT_TRUE(slots.Acquire(slots.Arrive("peer"), transfer));
  EXPECT_EQ(transfers, 2);
}

}  // namespace
}  // namespace downpour
