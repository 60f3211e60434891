// The CPU behind the Backend interface: passes, lowering by the operations' rules, memory plan, executor.
#pragma once
#include "graph/passes/passes.h"
#include "runtime/backend.h"

namespace athanor {

class CpuBackend final : public Backend {
 public:
  Capabilities capabilities() const override;
  std::unique_ptr<Program> lower(const Graph& graph, const CompileOptions& options) override;
};

Backend& cpu();

// Computes a graph without inputs; what constant folding uses.
std::vector<std::vector<std::byte>> evaluate(const Graph& graph);

// The graph before the first pass and after each, as text: what a person debugging fusion reads.
std::vector<PassSnapshot> explain_passes(const Graph& graph);

}  // namespace athanor
