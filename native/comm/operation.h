// A collective on its way: a state machine over point-to-point messages that the communicator's thread moves on. No operation ever
// waits inside; one that waits for a message says for whom.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "comm/transport.h"

namespace athanor::comm {

// What an operation is for, for errors, ledgers and traces.
struct Label {
  std::string name;        // "all-reduce"
  std::string detail;      // "bucket 2 of the gradients", may be empty
  Index bytes = 0;         // of the data it is about, on this rank
  std::int64_t step = -1;  // of training; -1 outside of a run
};

// "all-reduce of bucket 2 of the gradients (25,600 bytes) in step 17"
std::string to_string(const Label& label);

// The door of one operation to the transport: the ranks of its group, its own tags, its bytes.
class Port {
 public:
  Port(Transport& transport, const std::vector<int>& ranks, int rank, int tag)
      : transport_(transport), ranks_(ranks), rank_(rank), tag_(tag) {}

  int rank() const { return rank_; }  // in the group
  int size() const { return static_cast<int>(ranks_.size()); }
  int world_rank(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }

  // `phase`, 0 or 1, keeps two kinds of messages of one operation apart.
  void send(int to, int phase, const void* data, Index bytes, Message& message) {
    transport_.send(world_rank(to), tag_ + phase, data, bytes, message);
    sent += bytes;
  }
  void receive(int from, int phase, void* data, Index bytes, Message& message) {
    transport_.receive(world_rank(from), tag_ + phase, data, bytes, message);
    received += bytes;
  }
  bool test(Message& message) {
    const bool was = message.active;
    if (!transport_.test(message)) return false;
    if (was) ++moved;
    return true;
  }

  Index sent = 0, received = 0;
  std::uint64_t moved = 0;  // messages done

 private:
  Transport& transport_;
  const std::vector<int>& ranks_;
  int rank_;
  int tag_;
};

class Operation {
 public:
  virtual ~Operation() = default;
  // Moves on as far as possible without waiting; true when all is done.
  virtual bool advance(Port& port) = 0;
  // The rank of the group that it waits for; -1 when it does not know.
  virtual int waits_for() const = 0;
};

}  // namespace athanor::comm
