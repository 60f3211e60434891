#include "graph/cpu_backend.h"

#include <cstring>
#include <set>

#include "base/error.h"
#include "graph/lower.h"
#include "kernels/dispatch.h"
#include "runtime/executor.h"
#include "runtime/paging.h"
#include "runtime/thread_pool.h"

namespace athanor {
namespace {

// What the CPU runs: closures over slots, by the operations' own rules.
class CpuEmitter final : public Emitter {
 public:
  CpuEmitter(int workers, const Graph& graph) {
    code_.workers = workers;
    for (const auto& resource : graph.resources()) {
      if (auto paging = std::dynamic_pointer_cast<Paging>(resource)) paging_ = std::move(paging);
    }
    if (paging_ != nullptr) paging_->begin_program();
  }

  void lower(const Graph& graph, NodeId id, LowerState& state) override {
    const OpInfo& row = info(graph.node(id).op);
    check(row.rule->lower != nullptr, Code::internal,
          [&] { return std::string("lower: ") + row.name + " is not fused"; });
    if (paging_ != nullptr) page(graph, id, state);
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
    if (paging_ != nullptr) paging_->end_program();
    return std::move(code_);
  }

 private:
  // The parameter that an operand is, or a view of one; null for another value.
  static const Variable* parameter_of(const Graph& graph, ValueId value) {
    const Node* node = &graph.producer(value);
    while (info(node->op).is(kView)) node = &graph.producer(node->inputs[0]);
    return node->op == Op::parameter ? graph.variable_of(*node).get() : nullptr;
  }

  // Steps that bring what the node reads and give back what it does not. No layout is made of such parameters before a run.
  void page(const Graph& graph, NodeId id, LowerState& state) {
    if (info(graph.node(id).op).is(kView)) return;
    std::set<int> needed;
    for (const ValueId value : graph.node(id).inputs) {
      const Variable* parameter = parameter_of(graph, value);
      const int piece = parameter == nullptr ? -1 : paging_->piece_of(*parameter);
      if (piece < 0) continue;
      state.fixed[value] = false;
      needed.insert(piece);
    }
    if (needed.empty()) return;
    const auto enter = [&](const char* what, int piece, StepFunction run) {
      state.steps.push_back({id, graph.node(id).op, std::string(what) + std::to_string(piece), {0, 1}});
      code_.steps.push_back(std::move(run));
    };
    for (const int piece : there_) {
      if (!needed.contains(piece))
        enter("gives back bucket ", piece, [paging = paging_, piece](Execution&) { paging->drop(piece); });
    }
    for (const int piece : needed) {
      if (there_.contains(piece)) continue;
      paging_->note_need(piece);
      enter("gathers bucket ", piece, [paging = paging_, piece](Execution&) { paging->need(piece); });
    }
    there_ = std::move(needed);
  }

  Executable code_;
  std::shared_ptr<Paging> paging_;  // null where all parameters are there
  std::set<int> there_;
};

}  // namespace

Capabilities CpuBackend::capabilities() const { return {"cpu", kernel_table().isa, threads()}; }

std::unique_ptr<Program> CpuBackend::lower(const Graph& graph, const CompileOptions& options) {
  auto compiled = std::make_shared<const Graph>(
      options.optimize ? optimize(graph, evaluate) : fuse_elementwise(eliminate_dead(graph), {false, false}));
  CpuEmitter emitter(options.workers, *compiled);
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
