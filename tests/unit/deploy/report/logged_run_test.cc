// Where on the data's way: after the run; how the report names a network, whatever its nonlinearity.
#include "deploy/report/logged_run.h"

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "tests/testing/every_nonlinearity.h"

namespace downpour {
namespace {

TEST(LoggedRun, NamesEveryNonlinearity) {
  NetworkDescription network;
  network.add_hidden_width(256);
  std::set<std::string> texts;
  for (const auto nonlinearity : EveryNonlinearity()) {
    network.set_nonlinearity(nonlinearity);
    EXPECT_GT(NetworkText(network).size(), std::string("256  units").size());
    texts.insert(NetworkText(network));
  }
  EXPECT_EQ(texts.size(), EveryNonlinearity().size());
  network.set_nonlinearity(NetworkDescription::LOGISTIC);
  EXPECT_EQ(NetworkText(network), "256 logistic units");
  EXPECT_EQ(NetworkText(NetworkDescription()), "softmax regression");
}

}  // namespace
}  // namespace downpour
