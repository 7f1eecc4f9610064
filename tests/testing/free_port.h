// Where on the data's way: for tests that start programs which cannot choose a port themselves.
#ifndef DOWNPOUR_TESTS_TESTING_FREE_PORT_H_
#define DOWNPOUR_TESTS_TESTING_FREE_PORT_H_

#include "common/rpc/connection_acceptor.h"

namespace downpour {

// A port of loopback that nobody listens at now.
inline int FreePort() { return (*ConnectionAcceptor::Listen("127.0.0.1", 0))->port(); }

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_FREE_PORT_H_
