// Values of parameters and states from rank to rank.
#include <shared_mutex>

#include "bindings/ranks/parallel.h"
#include "bindings/values.h"
#include "comm/transfers.h"
#include "comm/world.h"
#include "io/xxhash64.h"
#include "ops/effects/whole_states.h"

namespace athanor::bindings {
namespace {

std::vector<std::shared_ptr<Variable>> to_variables(Napi::Env env, Napi::Value value) {
  const Napi::Array list = value.As<Napi::Array>();
  std::vector<std::shared_ptr<Variable>> variables;
  for (std::uint32_t i = 0; i < list.Length(); ++i)
    variables.push_back(unwrap<AddonVariable>(list.Get(i), Environment::of(env).variable, "parameter").get());
  return variables;
}

void broadcast_variables(const std::vector<std::shared_ptr<Variable>>& variables, int root,
                         const std::shared_ptr<comm::Group>& group) {
  const auto world = connected();
  std::vector<std::vector<std::byte>> copies;
  std::vector<comm::Communicator::Ticket> tickets;
  for (const auto& variable : variables) {
    copies.emplace_back(static_cast<std::size_t>(variable->type().bytes()));
    if (group->rank() == root) variable->read(copies.back().data());
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const Index bytes = variables[i]->type().bytes();
    tickets.push_back(world->start(group, {"broadcast", "\"" + variables[i]->name() + "\"", bytes, -1},
                                   comm::broadcast(group->rank(), group->size(), root, copies[i].data(), bytes)));
  }
  for (const auto& ticket : tickets) world->wait(ticket);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    if (group->rank() != root) variables[i]->write(copies[i].data());
  }
}

// broadcastVariables(variables, root, group?): Promise<void> — from the root'th rank of the group, or of all
Napi::Value broadcast_variables_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto variables = to_variables(info.Env(), info[0]);
    const int root = static_cast<int>(to_index(info[1], "a rank"));
    const auto group =
        info[2].IsObject()
            ? unwrap<AddonRankGroup>(info[2], Environment::of(info.Env()).rank_group, "group").get()->group()
            : connected()->world();
    return submit(info.Env(), [=] { broadcast_variables(variables, root, group); });
  });
}

constexpr int kMoveChannel = 11;

void move_variables(const std::vector<std::shared_ptr<Variable>>& variables, int from, int to) {
  const auto world = connected();
  const bool gives = world->rank() == from;
  if (from == to || (!gives && world->rank() != to)) return;
  std::vector<std::vector<std::byte>> copies;
  std::vector<comm::Piece> pieces;
  Index bytes = 0;
  for (const auto& variable : variables) {
    copies.emplace_back(static_cast<std::size_t>(variable->type().bytes()));
    if (gives) variable->read(copies.back().data());
    bytes += variable->type().bytes();
  }
  for (auto& copy : copies) pieces.push_back({gives ? to : from, copy.data(), static_cast<Index>(copy.size())});
  auto operation = gives ? comm::transfer(std::move(pieces), {}) : comm::transfer({}, std::move(pieces));
  world->wait(world->start(world->world(), {gives ? "send" : "receive", "states for a checkpoint", bytes, -1},
                           std::move(operation), nullptr, kMoveChannel));
  if (gives) return;
  for (std::size_t i = 0; i < copies.size(); ++i) variables[i]->write(copies[i].data());
}

// moveVariables(variables, from, to): Promise<void> — for these two ranks alone
Napi::Value move_variables_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto variables = to_variables(info.Env(), info[0]);
    const int from = static_cast<int>(to_index(info[1], "a rank")), to = static_cast<int>(to_index(info[2], "a rank"));
    return submit(info.Env(), [=] { move_variables(variables, from, to); });
  });
}

// hashVariables(variables): Promise<string> — XXH64 of their values, one after the other
Napi::Value hash_variables_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto variables = to_variables(info.Env(), info[0]);
    const auto text = std::make_shared<std::string>();
    return submit(
        info.Env(),
        [=] {
          io::XxHash64 hash;
          for (const auto& variable : variables) {
            const std::shared_ptr<Arena> arena = variable->arena();
            const std::shared_lock lock(arena->mutex);
            hash.update({variable->data(), static_cast<std::size_t>(variable->type().bytes())});
          }
          *text = io::hexadecimal(hash.digest());
        },
        [text](Napi::Env env) -> Napi::Value { return Napi::String::New(env, *text); });
  });
}

// wholeStates(optimizer): { name, dtype, shape }[] — of an optimizer whose states ranks divide, as on one rank
Napi::Value whole_states_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& optimizer = unwrap<AddonOptimizer>(info[0], Environment::of(info.Env()).optimizer, "optimizer").get();
    Napi::Array list = Napi::Array::New(info.Env());
    for (const WholeState& state : whole_states(*optimizer)) {
      Napi::Object entry = from_type(info.Env(), state.type);
      entry.Set("name", state.name);
      list.Set(list.Length(), entry);
    }
    return list;
  });
}

// gatherStates(optimizer, wholes, root): Promise<void> — rank `root` of the optimizer's group gets all states
Napi::Value gather_states_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto optimizer = unwrap<AddonOptimizer>(info[0], Environment::of(info.Env()).optimizer, "optimizer").get();
    const auto wholes = to_variables(info.Env(), info[1]);
    const int root = static_cast<int>(to_index(info[2], "a rank"));
    return submit(info.Env(), [=] { gather_states(*optimizer, wholes, root); });
  });
}

// takeStates(optimizer, wholes): void — this rank's part of whole states
Napi::Value take_states_of(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& optimizer = unwrap<AddonOptimizer>(info[0], Environment::of(info.Env()).optimizer, "optimizer").get();
    take_states(*optimizer, to_variables(info.Env(), info[1]));
    return info.Env().Undefined();
  });
}

}  // namespace

void define_rank_variables(Napi::Env env, Napi::Object exports) {
  exports.Set("broadcastVariables", Napi::Function::New(env, broadcast_variables_of, "broadcastVariables"));
  exports.Set("hashVariables", Napi::Function::New(env, hash_variables_of, "hashVariables"));
  exports.Set("wholeStates", Napi::Function::New(env, whole_states_of, "wholeStates"));
  exports.Set("gatherStates", Napi::Function::New(env, gather_states_of, "gatherStates"));
  exports.Set("takeStates", Napi::Function::New(env, take_states_of, "takeStates"));
  exports.Set("moveVariables", Napi::Function::New(env, move_variables_of, "moveVariables"));
}

}  // namespace athanor::bindings
