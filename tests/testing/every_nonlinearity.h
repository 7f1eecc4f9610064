// Where on the data's way: in no part of it; the values that tests of network.nonlinearity go through.
#ifndef DOWNPOUR_TESTS_TESTING_EVERY_NONLINEARITY_H_
#define DOWNPOUR_TESTS_TESTING_EVERY_NONLINEARITY_H_

#include <vector>

#include "proto/config.pb.h"

namespace downpour {

// Every value that proto/config.proto has, also those added after the test was written.
inline std::vector<NetworkDescription::Nonlinearity> EveryNonlinearity() {
  std::vector<NetworkDescription::Nonlinearity> values;
  const auto* const descriptor = NetworkDescription::Nonlinearity_descriptor();
  for (int i = 0; i < descriptor->value_count(); ++i) {
    values.push_back(static_cast<NetworkDescription::Nonlinearity>(descriptor->value(i)->number()));
  }
  return values;
}

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_EVERY_NONLINEARITY_H_
