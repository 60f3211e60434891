#include "comm/notices.h"

#include <algorithm>
#include <cstring>

namespace athanor::comm {
namespace {

// Cut between characters of UTF-8.
void put(char* to, std::size_t room, const std::string& text) {
  std::size_t length = std::min(room - 1, text.size());
  while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  std::memcpy(to, text.data(), length);
  to[length] = 0;
}

}  // namespace

NoticeBoard::NoticeBoard(Transport& transport)
    : transport_(transport), incoming_(static_cast<std::size_t>(transport.size())), left_(incoming_.size(), false) {
  for (int rank = 0; rank < transport_.size(); ++rank) open(rank);
}

void NoticeBoard::open(int rank) {
  if (rank == transport_.rank()) return;
  Incoming& in = incoming_[static_cast<std::size_t>(rank)];
  transport_.receive(rank, kTag, &in.wire, sizeof in.wire, in.message);
}

void NoticeBoard::tell_all(const Notice& notice) {
  for (int rank = 0; rank < transport_.size(); ++rank) {
    if (rank != transport_.rank()) tell(rank, notice);  // one that has left listens until all have
  }
}

void NoticeBoard::tell(int rank, const Notice& notice) {
  Outgoing& out = outgoing_.emplace_back();
  out.wire.kind = static_cast<std::int32_t>(notice.kind);
  out.wire.code = notice.code;
  out.wire.step = notice.step;
  put(out.wire.operation, sizeof out.wire.operation, notice.operation);
  put(out.wire.sentence, sizeof out.wire.sentence, notice.sentence);
  transport_.send(rank, kTag, &out.wire, sizeof out.wire, out.message);
}

bool NoticeBoard::next(Notice& notice, int& from) {
  is_sent();
  for (int rank = 0; rank < transport_.size(); ++rank) {
    Incoming& in = incoming_[static_cast<std::size_t>(rank)];
    if (!in.message.active || !transport_.test(in.message)) continue;
    notice.kind = static_cast<Notice::Kind>(in.wire.kind);
    notice.code = in.wire.code;
    notice.step = in.wire.step;
    notice.operation = in.wire.operation;
    notice.sentence = in.wire.sentence;
    from = rank;
    if (notice.kind == Notice::Kind::left) {
      left_[static_cast<std::size_t>(rank)] = true;  // its last word
    } else {
      open(rank);
    }
    return true;
  }
  return false;
}

bool NoticeBoard::all_left() const {
  for (int rank = 0; rank < transport_.size(); ++rank) {
    if (rank != transport_.rank() && !left_[static_cast<std::size_t>(rank)]) return false;
  }
  return true;
}

bool NoticeBoard::is_sent() {
  while (!outgoing_.empty() && transport_.test(outgoing_.front().message)) outgoing_.pop_front();
  return outgoing_.empty();
}

}  // namespace athanor::comm
