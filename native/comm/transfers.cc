#include "comm/transfers.h"

#include <algorithm>

namespace athanor::comm {
namespace {

constexpr Index kMostMessage = Index{1} << 26;  // an MPI counts in int

std::vector<Piece> cut(const std::vector<Piece>& pieces) {
  std::vector<Piece> result;
  for (const Piece& piece : pieces) {
    for (Index at = 0; at < piece.bytes; at += kMostMessage) {
      result.push_back(
          {piece.rank, static_cast<std::byte*>(piece.data) + at, std::min(kMostMessage, piece.bytes - at)});
    }
    if (piece.bytes == 0) result.push_back(piece);
  }
  return result;
}

class Transfer final : public Operation {
 public:
  Transfer(std::vector<Piece> sends, std::vector<Piece> receives)
      : sends_(cut(sends)), receives_(cut(receives)), out_(sends_.size()), in_(receives_.size()) {}

  bool advance(Port& port) override {
    if (!begun_) {
      begun_ = true;
      for (std::size_t i = 0; i < receives_.size(); ++i)
        port.receive(receives_[i].rank, 0, receives_[i].data, receives_[i].bytes, in_[i]);
      for (std::size_t i = 0; i < sends_.size(); ++i)
        port.send(sends_[i].rank, 0, sends_[i].data, sends_[i].bytes, out_[i]);
    }
    bool done = true;
    waits_for_ = -1;
    for (std::size_t i = 0; i < in_.size(); ++i) {
      if (port.test(in_[i])) continue;
      done = false;
      if (waits_for_ < 0) waits_for_ = receives_[i].rank;
    }
    for (std::size_t i = 0; i < out_.size(); ++i) {
      if (port.test(out_[i])) continue;
      done = false;
      if (waits_for_ < 0) waits_for_ = sends_[i].rank;
    }
    return done;
  }

  int waits_for() const override { return waits_for_; }

 private:
  std::vector<Piece> sends_, receives_;
  std::vector<Message> out_, in_;
  bool begun_ = false;
  int waits_for_ = -1;
};

class Broadcast final : public Operation {
 public:
  Broadcast(int rank, int size, int root, void* data, Index bytes) {
    const int own = (rank - root + size) % size;  // counted from the root
    int below = 1;
    while (below <= own) below *= 2;  // the parent lacks the highest bit
    if (own > 0) from_parent_ = transfer({}, {{(own - below / 2 + root) % size, data, bytes}});
    std::vector<Piece> children;
    for (int bit = below; own + bit < size; bit *= 2) children.push_back({(own + bit + root) % size, data, bytes});
    to_children_ = transfer(std::move(children), {});
  }

  bool advance(Port& port) override {
    if (from_parent_ != nullptr) {
      if (!from_parent_->advance(port)) return false;
      from_parent_ = nullptr;
    }
    return to_children_->advance(port);
  }

  int waits_for() const override { return from_parent_ ? from_parent_->waits_for() : to_children_->waits_for(); }

 private:
  std::unique_ptr<Operation> from_parent_, to_children_;
};

}  // namespace

std::unique_ptr<Operation> transfer(std::vector<Piece> sends, std::vector<Piece> receives) {
  return std::make_unique<Transfer>(std::move(sends), std::move(receives));
}

std::unique_ptr<Operation> all_gather(int rank, const std::vector<Piece>& pieces) {
  std::vector<Piece> sends, receives;
  for (const Piece& piece : pieces) {
    if (piece.rank == rank) continue;
    receives.push_back(piece);
    sends.push_back(
        {piece.rank, pieces[static_cast<std::size_t>(rank)].data, pieces[static_cast<std::size_t>(rank)].bytes});
  }
  return transfer(std::move(sends), std::move(receives));
}

std::unique_ptr<Operation> broadcast(int rank, int size, int root, void* data, Index bytes) {
  return std::make_unique<Broadcast>(rank, size, root, data, bytes);
}

}  // namespace athanor::comm
