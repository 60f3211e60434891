// A weight in the layout that a device's kernels read, made on the device of the operands that describe it. Where nothing in the program
// changes those, it is made before a run, once for all programs that use it, and again when a variable has changed; else every run
// makes it anew in its own memory.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "device/emitter.h"
#include "runtime/buffer.h"

namespace athanor::device {

// The variable behind a value, through views; null where it is none.
std::shared_ptr<Variable> variable_of(const Graph& graph, ValueId value);

class PackedWeight final : public Attachment {
 public:
  // Launches what packs to `to`; bad data goes to `check`.
  using Pack =
      std::function<Result(Stream* stream, const Addresses& at, std::byte* to, std::byte* workspace, Check check)>;
  struct Plan {
    std::string key;            // all that the layout depends on but the operands
    std::vector<int> operands;  // of the node
    Index bytes = 0, workspace = 0;
    Pack pack;
    Sentence sentence;
  };

  // Address of the packed weight in a run.
  using Place = std::function<std::byte*(const Addresses& at)>;
  static Place of(DeviceContext& context, Plan plan);

  PackedWeight(DeviceContext& context, Plan plan);
  bool bind(const Addresses& at) override;
  void note_changes() override {}
  std::byte* data() const;

  struct Shared;  // among programs

 private:
  std::shared_ptr<PluginDevice> device_;
  Plan plan_;
  std::vector<std::shared_ptr<Variable>> variables_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace athanor::device
