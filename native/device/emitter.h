// What a device's rule of an operation sees: the node and the launchers of the plugin. It asks for workspaces and emits launches;
// addresses are filled in when they are known, which is when a run binds its variables.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/plugin_device.h"
#include "graph/lowering.h"

namespace athanor::device {

// Where everything lies in device memory. While a graph is being compiled nothing lies anywhere yet: addresses are then some number
// that is not null, by which a launcher sees what it will be given.
struct Addresses {
  std::byte* const* slots = nullptr;
  std::byte* const* variables = nullptr;  // by their number in the graph
  RunRecord* run = nullptr;

  template <class T = void>
  T* at(Slot slot) const {
    return reinterpret_cast<T*>(slots == nullptr ? unknown() : slots[slot]);
  }
  std::byte* variable(Index number) const { return variables == nullptr ? unknown() : variables[number]; }

 private:
  static std::byte* unknown() { return reinterpret_cast<std::byte*>(std::uintptr_t{256}); }
};

using Launch = std::function<Result(Stream* stream, const Addresses& at)>;

// What the host says of a run that met bad data at a node.
using Sentence = std::function<Error(const RunRecord& run)>;

// What a launch keeps in device memory beside its slots, and sees to around every run.
class Attachment {
 public:
  virtual ~Attachment() = default;
  // Before the launches, under the locks of the run; true where what they launch is no longer what was captured.
  virtual bool bind(const Addresses& at) = 0;
  virtual void note_changes() = 0;  // after them
};

// A layout and what the device runs.
struct DeviceCode : Layout {
  std::vector<Launch> launches;  // one a step
  std::map<NodeId, Sentence> sentences;
  std::vector<std::shared_ptr<Attachment>> attachments;
};

class DeviceContext : public NodeContext {
 public:
  DeviceContext(const Graph& graph, NodeId id, LowerState& state, DeviceCode& code,
                std::shared_ptr<PluginDevice> device)
      : NodeContext(graph, id, state), device(std::move(device)), code_(code) {}

  const std::shared_ptr<PluginDevice> device;
  const Launchers& launchers() const { return device->plugin().launch; }

  // Emits one launch. `fill(args, at)` sets the addresses. Throws Code::unsupported_op where the device refuses it.
  template <class Args, class Fill>
  void launch(const Launcher<Args>& launcher, const Args& args, Work work, Fill fill) {
    Args seen = args;
    fill(seen, Addresses{});
    if (launcher.run == nullptr) refuse("it has no kernel for it");
    if (const char* reason = launcher.refuses != nullptr ? launcher.refuses(seen) : nullptr) refuse(reason);
    const Slot space = workspace(launcher.workspace != nullptr ? launcher.workspace(seen) : 0);
    enter("", work);
    code_.launches.push_back([args, fill, space, run = launcher.run](Stream* stream, const Addresses& at) {
      Args now = args;
      fill(now, at);
      return run(stream, now, at.at(space));
    });
  }

  // Emits what is no launcher's single call, with its memory asked for already.
  void launch_as(std::string detail, Launch launch, Work work = {}) {
    enter(std::move(detail), work);
    code_.launches.push_back(std::move(launch));
  }

  // What to say where this node meets bad data; and how its launches name it.
  void on_bad_data(Sentence sentence) { code_.sentences[id_] = std::move(sentence); }
  Check check_of(const Addresses& at) const { return {at.run, id_}; }
  NodeId id() const { return id_; }

  void attach(std::shared_ptr<Attachment> attachment) { code_.attachments.push_back(std::move(attachment)); }

  [[noreturn]] void refuse(const std::string& reason) const;

 private:
  DeviceCode& code_;
};

// Turns nodes into launches by the table of device/rules/rules.h.
class DeviceEmitter final : public Emitter {
 public:
  explicit DeviceEmitter(std::shared_ptr<PluginDevice> device) : device_(std::move(device)) {}

  void lower(const Graph& graph, NodeId id, LowerState& state) override;
  void copy(Slot to, Slot from, Index bytes) override;
  void bind(std::vector<Binding>&) override {}
  Index alignment() const override { return 256; }

  DeviceCode finish(Layout layout);

 private:
  std::shared_ptr<PluginDevice> device_;
  DeviceCode code_;
};

}  // namespace athanor::device
