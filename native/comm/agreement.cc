#include "comm/agreement.h"

#include "base/error.h"

namespace athanor::comm {

void settle(Communicator& communicator, std::int64_t step) {
  if (communicator.size() == 1) return;
  auto here = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(communicator.size()));
  std::vector<Piece> pieces;
  for (int rank = 0; rank < communicator.size(); ++rank) pieces.push_back({rank, here->data() + rank, 1});
  try {
    communicator.wait(communicator.start(communicator.world(), {"all-gather", "the end of the step", 1, step},
                                         all_gather(communicator.rank(), pieces), here));
  } catch (const Error& error) {
    if (error.code() != Code::communication) throw;
  }
}

void all_gather_settled(Communicator& communicator, Label label, const std::vector<Piece>& pieces) {
  const std::int64_t step = label.step;
  communicator.run(communicator.world(), std::move(label), all_gather(communicator.rank(), pieces));
  settle(communicator, step);
}

}  // namespace athanor::comm
