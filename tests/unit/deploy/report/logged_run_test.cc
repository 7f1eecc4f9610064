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
    EXPECT_GT(NetworkText(network).size(), std::string("256 ").size());
    EXPECT_EQ(UnitsText(network), NetworkText(network) + " units");
    texts.insert(NetworkText(network));
  }
  EXPECT_EQ(texts.size(), EveryNonlinearity().size());
  network.set_nonlinearity(NetworkDescription::LOGISTIC);
  EXPECT_EQ(UnitsText(network), "256 logistic units");
  EXPECT_EQ(UnitsText(NetworkDescription()), "softmax regression");
}

}  // namespace
}  // namespace downpour
