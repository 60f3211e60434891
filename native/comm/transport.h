// How bytes get from one rank to another, and nothing more: non-blocking point-to-point messages. Collectives are made of these
// alone (comm/operation.h), so that their order of summation is ours on every transport.
// All calls come from one thread, the communicator's.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/index.h"

namespace athanor::comm {

// A message under way. Its memory must stay where it is until it is done.
struct Message {
  alignas(8) std::byte handle[8] = {};  // of an MPI
  std::shared_ptr<void> delivery;       // of ranks in one process
  bool active = false;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual std::string name() const = 0;  // "Open MPI 4.1.4"
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string host() const = 0;  // of this rank

  // Messages between two ranks with one tag arrive in the order in which they were sent; at most 2^30 bytes each.
  virtual void send(int to, int tag, const void* data, Index bytes, Message& message) = 0;
  virtual void receive(int from, int tag, void* data, Index bytes, Message& message) = 0;
  // Whether the message is done; moves everything on. Throws Code::communication.
  virtual bool test(Message& message) = 0;

  // The end of this rank with all others.
  [[noreturn]] virtual void abort(int code) = 0;
  // The orderly end, when nothing is under way on any rank.
  virtual void finish() = 0;
};

// The highest tag that every MPI has.
inline constexpr int kMostTag = 32767;

}  // namespace athanor::comm
