// Where on the data's way: the live page; which runs it finds, when it asks again, and what it then says.
#include "deploy/dashboard/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "tests/testing/fake_clock.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class PageTest : public ::testing::Test {
 protected:
  PageTest() { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }
  std::string Part(const std::string& id, const View& view = {}) {
    const auto parts = page_.Parts(view);
    const auto found = absl::c_find_if(*parts, [&](const auto& part) { return part.first == id; });
    return found == parts->end() ? "no such part" : found->second;
  }
  void NextLook() { clock_.Advance(absl::Seconds(4)); }

  const std::string root_ =
      ::testing::TempDir() + "page_test/" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  FakeClock clock_;
  int asked_ = 0;
  std::string asked_at_;
  absl::StatusOr<Overview> answer_ = absl::UnavailableError("nobody answers");
  Page page_{root_, "",
             [this](const std::string& address) {
               ++asked_;
               asked_at_ = address;
               return answer_;
             },
             &clock_};
};

TEST_F(PageTest, FindsRunsUpToThreeLevelsDeep) {
  Write("a/run.textproto", "");
  Write("sweep/b/frame_accuracy.csv", "");
  Write("sweep/deeper/c/run.textproto", "");
  Write("one/two/three/d/run.textproto", "");
  Write("a/checkpoints/run.textproto", "");
  Write("not_a_run/log.txt", "");
  std::vector<std::string> names;
  for (const ListedRun& run : ListRuns(root_)) names.push_back(run.name);
  EXPECT_THAT(names, UnorderedElementsAre("a", "sweep/b", "sweep/deeper/c"));
  EXPECT_EQ(ListRuns(root_ + "/a").front().name, ".");
  EXPECT_TRUE(ListRuns(root_ + "/nothing").empty());
}

TEST_F(PageTest, DrawsALineThatComesIn) {
  Write("a/frame_accuracy.csv", "updates,test_frame_accuracy\n0,0.1\n");
  const std::string before = Part("figures");
  Write("a/frame_accuracy.csv", "updates,test_frame_accuracy\n0,0.1\n100,0.2\n");
  EXPECT_EQ(Part("figures"), before) << "not within a second";
  NextLook();
  EXPECT_NE(Part("figures"), before);
}

TEST_F(PageTest, ManyViewersAskTheCoordinatorOnce) {
  Write("a/frame_accuracy.csv", "updates,test_frame_accuracy\n0,0.1\n");
  Write("a/coordinator_address", "127.0.0.1:7100\n");
  Write("a/run_id", "a-1\n");
  answer_ = Overview();
  answer_->set_run_id("a-1");
  for (int viewer = 0; viewer < 10; ++viewer) Part("cluster");
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(asked_at_, "127.0.0.1:7100");
  NextLook();
  EXPECT_THAT(Part("cluster"), HasSubstr("0 replicas"));
  EXPECT_EQ(asked_, 2);
}

TEST_F(PageTest, ACoordinatorOfAnotherRunIsNotShown) {
  Write("a/frame_accuracy.csv", "");
  Write("a/coordinator_address", "127.0.0.1:7100\n");
  Write("a/run_id", "a-1\n");
  answer_ = Overview();
  answer_->set_run_id("another");
  EXPECT_THAT(Part("cluster"), HasSubstr("serves another run, 'another'"));
}

TEST_F(PageTest, ACoordinatorThatDoesNotAnswerIsLeftAloneForAWhile) {
  Write("a/frame_accuracy.csv", "");
  Write("a/coordinator_address", "127.0.0.1:7100\n");
  EXPECT_THAT(Part("cluster"), HasSubstr("nobody answers"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(Part("cluster"), HasSubstr("nobody answers"));
  EXPECT_EQ(asked_, 1);
  clock_.Advance(WatchedRun::kPatience);
  Part("cluster");
  EXPECT_EQ(asked_, 2);
}

TEST_F(PageTest, WhatIsChosenIsShownAndNothingElse) {
  Write("a/frame_accuracy.csv", "updates,test_frame_accuracy\n0,0.1\n");
  Write("b/frame_accuracy.csv", "updates,test_frame_accuracy\n0,0.1\n");
  EXPECT_THAT(Part("figures", {{"b"}, ""}), Not(HasSubstr(">a<")));
  EXPECT_THAT(Part("downloads", {{"b", "a", "../a", "c", "b"}, ""}),
              HasSubstr("/report.svg?run=b&amp;run=a\""));
  EXPECT_EQ(page_.FolderOf("a").value(), root_ + "/a");
  EXPECT_EQ(page_.FolderOf("a/../a").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PageTest, AFolderWithoutRunsSaysSo) {
  EXPECT_THAT(Part("figures"), HasSubstr("There is no run in"));
  EXPECT_EQ(page_.Svg({}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PageTest, NamesAreEscapedInMarkupAndInAddresses) {
  Write("a&b \"c\"/frame_accuracy.csv", "");
  const std::string html = Page::Html({}, *page_.Parts({}));
  EXPECT_THAT(html, HasSubstr("value=\"a&amp;b &quot;c&quot;\""));
  EXPECT_THAT(html, HasSubstr("href=\"/?run=a%26b%20%22c%22\""));
}

TEST_F(PageTest, OnlyTheLogsLastLinesAreShownEachAsOneLineOfText) {
  std::string log;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&log, "line ", i, "\n");
  Write("a/frame_accuracy.csv", "");
  Write("a/log.txt", log + "<b>\x1b[1m\n");
  const std::string part = Part("log");
  EXPECT_THAT(part, Not(HasSubstr("line 60\n")));
  EXPECT_THAT(part, HasSubstr("line 61\n"));
  EXPECT_THAT(part, HasSubstr("&lt;b&gt;\\x1b[1m\n"));
}

}  // namespace
}  // namespace downpour
