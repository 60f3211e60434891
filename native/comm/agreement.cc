#include "comm/agreement.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace athanor::comm {
namespace {

constexpr std::size_t kHead = 2, kPerShard = 2;  // numbers a rank tells, and more for each shard
constexpr std::size_t kSentence = 2048;

}  // namespace

Agreement::Agreement(std::shared_ptr<Communicator> communicator, std::shared_ptr<Group> group,
                     const std::vector<ShardBlock>& shards)
    : communicator_(std::move(communicator)),
      group_(std::move(group)),
      own_(shards[static_cast<std::size_t>(group_->rank())]) {
  std::size_t at = 0;
  for (const ShardBlock& block : shards) {
    at_.push_back(at);
    at += kHead + kPerShard * static_cast<std::size_t>(block.count);
  }
  at_.push_back(at);
  told_.resize(at);
}

void Agreement::begin(bool stop) {
  failure_ = nullptr;
  double* own = of(group_->rank());
  std::fill(own, told_.data() + at_[static_cast<std::size_t>(group_->rank()) + 1], 0.0);
  own[1] = stop ? 1 : 0;
}

void Agreement::note(int shard, double loss, double weight) {
  if (shard < own_.lo || shard >= own_.lo + own_.count) return;  // another rank tells it
  double* numbers = of(group_->rank()) + kHead + kPerShard * static_cast<std::size_t>(shard - own_.lo);
  numbers[0] = loss;
  numbers[1] = weight;
}

void Agreement::note_failure(std::exception_ptr failure) {
  if (failure_ != nullptr) return;
  failure_ = std::move(failure);
  of(group_->rank())[0] = 1;
}

void Agreement::exchange(std::int64_t step) {
  if (group_->size() == 1) return;
  std::vector<Piece> pieces;
  for (int rank = 0; rank < group_->size(); ++rank) {
    const std::size_t r = static_cast<std::size_t>(rank);
    pieces.push_back({rank, of(rank), static_cast<Index>((at_[r + 1] - at_[r]) * sizeof(double))});
  }
  communicator_->run(group_, {"all-gather", "losses and faults", static_cast<Index>(told_.size() * 8), step},
                     all_gather(group_->rank(), pieces));
}

void Agreement::require_success(std::int64_t step) {
  for (int rank = 0; rank < group_->size(); ++rank) {
    if (of(rank)[0] != 0) throw_agreed(step);
  }
}

// All ranks throw the error of the first that has one.
void Agreement::throw_agreed(std::int64_t step) {
  struct Wire {
    std::int32_t code = 0;
    char sentence[kSentence] = {};
  };
  std::vector<Wire> wires(static_cast<std::size_t>(group_->size()));
  if (failure_ != nullptr) {
    Wire& own = wires[static_cast<std::size_t>(group_->rank())];
    try {
      std::rethrow_exception(failure_);
    } catch (const Error& error) {
      own.code = static_cast<std::int32_t>(error.code());
      std::strncpy(own.sentence, error.what(), kSentence - 1);
    }
  }
  if (group_->size() > 1) {
    std::vector<Piece> pieces;
    for (int rank = 0; rank < group_->size(); ++rank)
      pieces.push_back({rank, &wires[static_cast<std::size_t>(rank)], sizeof(Wire)});
    all_gather_settled(*communicator_, group_, {"all-gather", "faults", sizeof(Wire), step}, pieces);
  }
  for (int rank = 0; rank < group_->size(); ++rank) {
    const std::size_t r = static_cast<std::size_t>(rank);
    const Wire& wire = wires[r];
    if (of(rank)[0] == 0) continue;
    const std::string who =
        group_->size() == 1 ? ""
                            : named_rank(*communicator_, group_->ranks()[r]) + ", step " + std::to_string(step) + ": ";
    throw Error(static_cast<Code>(wire.code), who + wire.sentence);
  }
  throw Error(Code::internal, "fit: a rank failed without an error");
}

bool Agreement::any_stop() const {
  for (std::size_t r = 0; r + 1 < at_.size(); ++r) {
    if (told_[at_[r] + 1] != 0) return true;
  }
  return false;
}

Agreement::Total Agreement::total() const {
  Total total;
  for (std::size_t r = 0; r + 1 < at_.size(); ++r) {
    for (std::size_t at = at_[r] + kHead; at < at_[r + 1]; at += kPerShard) {
      if (told_[at + 1] == 0) continue;
      total.sum += told_[at] * told_[at + 1];
      total.weight += told_[at + 1];
    }
  }
  return total;
}

void settle(Communicator& communicator, const std::shared_ptr<Group>& group, std::int64_t step) {
  if (group->size() == 1) return;
  auto here = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(group->size()));
  std::vector<Piece> pieces;
  for (int rank = 0; rank < group->size(); ++rank) pieces.push_back({rank, here->data() + rank, 1});
  try {
    communicator.wait(communicator.start(group, {"all-gather", "the end of the step", 1, step},
                                         all_gather(group->rank(), pieces), here));
  } catch (const Error& error) {
    if (error.code() != Code::communication) throw;
  }
}

void all_gather_settled(Communicator& communicator, const std::shared_ptr<Group>& group, Label label,
                        const std::vector<Piece>& pieces) {
  const std::int64_t step = label.step;
  communicator.run(group, std::move(label), all_gather(group->rank(), pieces));
  settle(communicator, group, step);
}

}  // namespace athanor::comm
