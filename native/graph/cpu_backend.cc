#include "graph/cpu_backend.h"

#include <cstring>

#include "base/error.h"
#include "graph/lower.h"
#include "kernels/dispatch.h"
#include "runtime/executor.h"
#include "runtime/thread_pool.h"

namespace athanor {
namespace {

// What the CPU runs: closures over slots, by the operations' own rules.
class CpuEmitter final : public Emitter {
 public:
  explicit CpuEmitter(int workers) { code_.workers = workers; }

  void lower(const Graph& graph, NodeId id, LowerState& state) override {
    const OpInfo& row = info(graph.node(id).op);
    check(row.rule->lower != nullptr, Code::internal,
          [&] { return std::string("lower: ") + row.name + " is not fused"; });
    LowerContext context(graph, id, state, code_);
    row.rule->lower(context);
  }

  void copy(Slot to, Slot from, Index bytes) override {
    code_.steps.push_back(
        [=](Execution& run) { std::memcpy(run.at(to), run.at(from), static_cast<std::size_t>(bytes)); });
  }

  void bind(std::vector<Binding>& bindings) override {
    for (std::size_t i = 0; i < code_.prepared.size(); ++i) {
      bindings[code_.prepared[i].slot] = {Binding::Kind::prepared, static_cast<Index>(i)};
    }
  }

  Executable finish(Layout layout) {
    static_cast<Layout&>(code_) = std::move(layout);
    return std::move(code_);
  }

 private:
  Executable code_;
};

}  // namespace

Capabilities CpuBackend::capabilities() const { return {"cpu", kernel_table().isa, threads()}; }

std::unique_ptr<Program> CpuBackend::lower(const Graph& graph, const CompileOptions& options) {
  auto compiled = std::make_shared<const Graph>(
      options.optimize ? optimize(graph, evaluate) : fuse_elementwise(eliminate_dead(graph), {false, false}));
  CpuEmitter emitter(options.workers);
  Layout layout = athanor::lower(std::move(compiled), emitter);
  return std::make_unique<CpuProgram>(emitter.finish(std::move(layout)));
}

Backend& cpu() {
  static CpuBackend backend;
  return backend;
}

std::vector<std::vector<std::byte>> evaluate(const Graph& graph) {
  const auto program = cpu().lower(graph, {1, false});
  std::vector<std::vector<std::byte>> results;
  std::vector<void*> pointers;
  for (const Port& output : program->outputs()) results.emplace_back(static_cast<std::size_t>(output.type.bytes()));
  for (auto& result : results) pointers.push_back(result.data());
  Sequential sequential;
  RunRequest request;
  request.results = pointers;
  request.parallel = &sequential;
  program->run(request);
  return results;
}

std::vector<PassSnapshot> explain_passes(const Graph& graph) {
  std::vector<PassSnapshot> snapshots;
  optimize(graph, evaluate, {}, &snapshots);
  return snapshots;
}

}  // namespace athanor
