#include "comm/agreement.h"

#include "base/error.h"

namespace athanor::comm {

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
