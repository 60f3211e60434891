// What ranks tell one another beside the collectives: that one failed, or left, or waits and asks whether the other still lives. Every rank has a receive open for each other one.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "comm/transport.h"

namespace athanor::comm {

struct Notice {
  enum class Kind : std::int32_t { failed, left, asks, lives };
  Kind kind = Kind::failed;
  std::int32_t code = 0;  // left: the exit code
  std::int64_t step = -1;
  std::string operation, sentence;
};

class NoticeBoard {
 public:
  NoticeBoard(Transport& transport);

  void tell_all(const Notice& notice);
  void tell(int rank, const Notice& notice);
  // The next notice that has come, with the rank that it is from; false when there is none. Moves sends on too.
  bool next(Notice& notice, int& from);
  bool has_left(int rank) const { return left_[static_cast<std::size_t>(rank)]; }
  bool all_left() const;
  // Whether all that was told is on its way.
  bool is_sent();

 private:
  static constexpr int kTag = 0;
  struct Wire {
    std::int32_t kind = 0, code = 0;
    std::int64_t step = -1;
    char operation[128] = {};
    char sentence[1872] = {};
  };
  void open(int rank);

  Transport& transport_;
  struct Incoming {
    Wire wire;
    Message message;
  };
  struct Outgoing {
    Wire wire;
    Message message;
  };
  std::vector<Incoming> incoming_;  // of every rank
  std::deque<Outgoing> outgoing_;
  std::vector<bool> left_;
};

}  // namespace athanor::comm
