// An exchange after which each rank may end at once, whatever the others have got to.
#pragma once
#include <vector>

#include "comm/communicator.h"
#include "comm/transfers.h"

namespace athanor::comm {

// An all-gather within a group, and then a wait until all of them have everything. A rank that goes on to fail, or to leave, as soon
// as it has the pieces would otherwise be told of to a slower one that has not read them yet, which would report that instead.
// Throws Code::communication.
void all_gather_settled(Communicator& communicator, const std::shared_ptr<Group>& group, Label label,
                        const std::vector<Piece>& pieces);

// The wait alone: until all ranks have got here, or one has failed, which whoever calls this is about to report better.
void settle(Communicator& communicator, const std::shared_ptr<Group>& group, std::int64_t step);

}  // namespace athanor::comm
