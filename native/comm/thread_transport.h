// Ranks as threads of one process: for tests, and for one rank alone. A message waits in the receiver's box until a receive asks
// for it, and is copied once.
#pragma once
#include <memory>
#include <vector>

#include "comm/transport.h"

namespace athanor::comm {

// One transport a rank. What one rank aborts, the others see as an error of their next test.
std::vector<std::unique_ptr<Transport>> make_thread_transports(int size);

}  // namespace athanor::comm
