#include "ops/effects/whole_states.h"

#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "base/error.h"
#include "comm/transfers.h"

namespace athanor {
namespace {

constexpr Index kElement = sizeof(float);

const StateParts& parts_of(const OptimizerState& optimizer) {
  check(optimizer.parts().has_value(), Code::internal, [] { return "optim: the states are not divided"; });
  return *optimizer.parts();
}

void require_wholes(const std::vector<WholeState>& states, const std::vector<std::shared_ptr<Variable>>& wholes) {
  check(wholes.size() == states.size(), Code::internal, [&] {
    return "optim: expected " + std::to_string(states.size()) + " whole states, got " + std::to_string(wholes.size());
  });
  for (std::size_t i = 0; i < states.size(); ++i) {
    check(wholes[i]->type() == states[i].type, Code::shape, [&] {
      return "optim: \"" + states[i].name + "\" is " + to_string(states[i].type) + ", got " +
             to_string(wholes[i]->type());
    });
  }
}

}  // namespace

std::vector<WholeState> whole_states(const OptimizerState& optimizer) {
  const auto& names = optim::info(optimizer.rule()).states;
  std::vector<WholeState> states;
  for (std::size_t k = 0; k < names.size(); ++k) {
    for (std::size_t i = 0; i < optimizer.variables().size(); ++i) {
      const int variable = static_cast<int>(i), slot = static_cast<int>(k);
      const Variable& parameter = *optimizer.variables()[i];
      if (!optimizer.uses_state(variable, slot)) continue;
      states.push_back({variable, slot, parameter.name() + "." + names[k].name, parameter.type()});
    }
  }
  return states;
}

void gather_states(const OptimizerState& optimizer, const std::vector<std::shared_ptr<Variable>>& wholes, int root) {
  const StateParts& parts = parts_of(optimizer);
  const RankGroup& group = parts.group();
  const std::vector<WholeState> states = whole_states(optimizer);
  const bool takes = group.rank() == root;
  if (takes) require_wholes(states, wholes);
  const std::shared_lock lock(optimizer.arena()->mutex);
  std::vector<comm::Piece> sends, receives;
  Index bytes = 0;
  for (std::size_t i = 0; i < states.size(); ++i) {
    for (int rank = 0; rank < group.size(); ++rank) {
      const comm::ElementRange range = parts.range(rank, states[i].variable);
      const Index own = (range.end - range.begin) * kElement;
      if (own == 0 || (rank != group.rank() && !takes)) continue;
      std::byte* whole = takes ? wholes[i]->data() + range.begin * kElement : nullptr;
      if (rank == group.rank()) {
        std::byte* part = optimizer.states_of(states[i].variable)[static_cast<std::size_t>(states[i].slot)]->data();
        if (takes) {
          std::memcpy(whole, part, static_cast<std::size_t>(own));
        } else {
          sends.push_back({root, part, own});
          bytes += own;
        }
      } else {
        receives.push_back({rank, whole, own});
      }
    }
  }
  struct Kept {
    std::shared_ptr<Arena> arena;
    std::vector<std::shared_ptr<Variable>> wholes;
  };
  const auto kept = std::make_shared<Kept>(Kept{optimizer.arena(), wholes});
  comm::Communicator& communicator = group.communicator();
  communicator.wait(communicator.start(group.group(), {"gather", "states for a checkpoint", bytes, optimizer.steps()},
                                       comm::transfer(std::move(sends), std::move(receives)), kept));
}

void take_states(const OptimizerState& optimizer, const std::vector<std::shared_ptr<Variable>>& wholes) {
  const StateParts& parts = parts_of(optimizer);
  const std::vector<WholeState> states = whole_states(optimizer);
  require_wholes(states, wholes);
  const std::unique_lock lock(optimizer.arena()->mutex);
  for (std::size_t i = 0; i < states.size(); ++i) {
    const comm::ElementRange range = parts.own(states[i].variable);
    if (range.begin == range.end) continue;
    Variable& part = *optimizer.states_of(states[i].variable)[static_cast<std::size_t>(states[i].slot)];
    std::memcpy(part.data(), wholes[i]->data() + range.begin * kElement, static_cast<std::size_t>(part.type().bytes()));
    part.touch();
  }
}

}  // namespace athanor
