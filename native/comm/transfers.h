// Collectives that move data as it is: all-gather, all-to-all, broadcast, send and receive, barrier.
#pragma once
#include <memory>
#include <vector>

#include "comm/operation.h"

namespace athanor::comm {

struct Piece {
  int rank;  // of the group
  void* data;
  Index bytes;
};

// All of these at once: what send, receive, all-to-all and all-gather come to.
std::unique_ptr<Operation> transfer(std::vector<Piece> sends, std::vector<Piece> receives);

// own → all, others' → where they belong: data[rank] of bytes[rank] each, this rank's own already in its place.
std::unique_ptr<Operation> all_gather(int rank, const std::vector<Piece>& pieces);

// From `root` to all, along a binomial tree: log2(size) messages deep.
std::unique_ptr<Operation> broadcast(int rank, int size, int root, void* data, Index bytes);

}  // namespace athanor::comm
