// Where on the data's way: the wire and files at rest; a message as bytes, where that cannot fail.
#ifndef DOWNPOUR_COMMON_WIRE_SERIALIZE_H_
#define DOWNPOUR_COMMON_WIRE_SERIALIZE_H_

#include <google/protobuf/message_lite.h>

#include <string>

#include "common/check.h"

namespace downpour {

// Of a message of this program's that cannot come near 2 GiB, the most that protobuf serialises.
inline std::string SerializeSmall(const google::protobuf::MessageLite& message) {
  std::string bytes;
  DOWNPOUR_CHECK(message.SerializeToString(&bytes));
  return bytes;
}

}  // namespace downpour

#endif  // DOWNPOUR_COMMON_WIRE_SERIALIZE_H_
