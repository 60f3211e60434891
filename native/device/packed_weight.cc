#include "device/packed_weight.h"

#include <map>
#include <mutex>

namespace athanor::device {

struct PackedWeight::Shared {
  Shared(std::shared_ptr<Device> device, Index bytes) : block(std::move(device), bytes) {}
  DeviceBlock block;
  std::mutex mutex;
  bool is_made = false;
  std::uint64_t version = 0;  // the sum of the variables'
};

namespace {

// One for a device, key and set of variables, as long as any program holds it. Without variables nobody else has the same weight.
std::shared_ptr<PackedWeight::Shared> shared_of(const std::shared_ptr<PluginDevice>& device, std::string key,
                                                Index bytes, const std::vector<std::shared_ptr<Variable>>& variables) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<PackedWeight::Shared>> all;
  if (variables.empty()) return std::make_shared<PackedWeight::Shared>(device, bytes);
  key = device->name() + " " + key;
  for (const auto& variable : variables) key += " " + std::to_string(reinterpret_cast<std::uintptr_t>(variable.get()));
  const std::lock_guard lock(mutex);
  std::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<PackedWeight::Shared>& entry = all[key];
  std::shared_ptr<PackedWeight::Shared> found = entry.lock();
  if (found == nullptr) entry = found = std::make_shared<PackedWeight::Shared>(device, bytes);
  return found;
}

}  // namespace

std::shared_ptr<Variable> variable_of(const Graph& graph, ValueId value) {
  const Node* node = &graph.producer(value);
  while (info(node->op).is(kView | kWait)) node = &graph.producer(node->inputs[0]);
  return node->op == Op::parameter ? graph.variable_of(*node) : nullptr;
}

PackedWeight::PackedWeight(DeviceContext& context, Plan plan) : device_(context.device), plan_(std::move(plan)) {
  bool all = true;
  for (const int operand : plan_.operands) {
    auto variable = variable_of(context.graph, context.node.inputs[static_cast<std::size_t>(operand)]);
    all = all && variable != nullptr;
    if (variable != nullptr) variables_.push_back(std::move(variable));
  }
  // A constant among the operands is this program's own.
  shared_ = shared_of(device_, plan_.key, plan_.bytes, all ? variables_ : std::vector<std::shared_ptr<Variable>>{});
}

std::byte* PackedWeight::data() const { return shared_->block.data(); }

bool PackedWeight::bind(const Addresses& at) {
  std::uint64_t version = 0;
  for (const auto& variable : variables_) version += variable->version();
  const std::lock_guard lock(shared_->mutex);
  if (shared_->is_made && shared_->version == version) return false;
  const DeviceBlock workspace(device_, plan_.workspace), record(device_, sizeof(RunRecord));
  const Plugin& plugin = device_->plugin();
  Stream* stream = nullptr;
  device_->require(plugin.stream_create(device_->index(), &stream), "opening a stream");
  auto* run = reinterpret_cast<RunRecord*>(record.data());
  Result result = plugin.launch.begin.run(stream, Begin{run, 0, 0, 0}, nullptr);
  if (result == Result::ok) result = plan_.pack(stream, at, data(), workspace.data(), {run, 0});
  if (result == Result::ok) result = plugin.stream_wait(stream);
  plugin.stream_destroy(stream);
  device_->require(result, "packing a weight");
  RunRecord told;
  device_->download(&told, record.data(), sizeof told);
  if (told.owner != 0) throw plan_.sentence(told);
  shared_->is_made = true;
  shared_->version = version;
  return false;
}

PackedWeight::Place PackedWeight::of(DeviceContext& context, Plan plan) {
  bool fixed = true;
  for (const int operand : plan.operands) fixed = fixed && context.is_fixed(operand);
  if (fixed) {
    auto packed = std::make_shared<PackedWeight>(context, std::move(plan));
    context.attach(packed);
    return [packed](const Addresses&) { return packed->data(); };
  }
  const Slot to = context.workspace(plan.bytes), space = context.workspace(plan.workspace);
  context.on_bad_data(plan.sentence);
  context.launch_as("weights", [pack = plan.pack, to, space, node = context.id()](Stream* stream, const Addresses& at) {
    return pack(stream, at, at.at<std::byte>(to), at.at<std::byte>(space), {at.run, node});
  });
  return [to](const Addresses& at) { return at.at<std::byte>(to); };
}

}  // namespace athanor::device
