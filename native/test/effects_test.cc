// Effects as they enter a graph: what is read is what was there before, what a step does follows its closed form, and what does not
// fit is refused with a sentence before anything is entered.
#include <limits>

#include "base/error.h"
#include "graph/cpu_backend.h"
#include "graph/expr.h"
#include "ops/effects/append.h"
#include "test/test.h"

namespace athanor {
namespace {

std::shared_ptr<Variable> variable(const char* name, std::vector<float> values) {
  auto made = std::make_shared<Variable>(name, Type{DType::f32, {static_cast<Index>(values.size())}});
  made->write(values.data());
  return made;
}

std::vector<float> read(const Variable& variable) {
  std::vector<float> values(static_cast<std::size_t>(variable.type().count()));
  variable.read(values.data());
  return values;
}

void run(const Graph& graph, std::vector<const void*> feeds, std::vector<void*> results) {
  const auto program = cpu().lower(graph, {1, true});
  Sequential sequential;
  RunRequest request;
  request.feeds = feeds;
  request.results = results;
  request.parallel = &sequential;
  program->run(request);
}

std::string refusal(void (*body)(Graph&)) {
  Graph graph;
  try {
    body(graph);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// SGD without momentum: lr, then the rest of its row as it is at first.
std::vector<double> sgd(double lr) {
  std::vector<double> hyper;
  for (const auto& row : optim::info(optim::RuleId::sgd).hypers) hyper.push_back(row.initial);
  hyper[0] = lr;
  return hyper;
}

std::shared_ptr<OptimizerState> optimizer(std::vector<std::shared_ptr<Variable>> variables) {
  return std::make_shared<OptimizerState>(
      optim::RuleId::sgd, std::vector<OptimizerGroup>{{std::move(variables), sgd(0.5)}}, optim::StepOptions{});
}

}  // namespace

TEST(an_assignment_is_seen_by_the_next_run) {
  const auto count = variable("count", {1, 10});
  Graph graph;
  const Expr before{&graph, graph.parameter(count)};
  add_assign(graph, count, (before + before).id);
  graph.outputs = {{"before", before.id}};
  float seen[2];
  run(graph, {}, {seen});
  CHECK(seen[0] == 1 && seen[1] == 10);
  CHECK(read(*count) == (std::vector<float>{2, 20}));
}

TEST(an_optimizer_step_follows_its_rule_and_its_guard) {
  const auto w = variable("w", {1, 2}), b = variable("b", {8});
  const auto state = optimizer({w, b});
  Graph graph;
  const ValueId dw = graph.input("dw", {DType::f32, {2}}), db = graph.input("db", {DType::f32, {1}});
  const ValueId hyper = graph.input("hyper", {DType::f64, {1, static_cast<Index>(sgd(0.5).size())}});
  const ValueId loss = graph.input("loss", {DType::f32, {}});
  const ValueId report = add_optimizer_step(graph, state, {{dw, db}, hyper, loss});
  CHECK(graph.type(report) == (Type{DType::f64, {4}}));
  graph.outputs = {{"report", report}};
  const float gw[] = {2, -4}, gb[] = {1}, fine = 3, bad = std::numeric_limits<float>::quiet_NaN();
  const std::vector<double> values = sgd(0.5);
  double told[4];
  run(graph, {gw, gb, values.data(), &bad}, {told});
  CHECK(told[3] == 1);  // skipped
  CHECK(read(*w) == (std::vector<float>{1, 2}));
  CHECK(state->steps() == 0);
  run(graph, {gw, gb, values.data(), &fine}, {told});
  CHECK(told[3] == 0);
  CHECK(read(*w) == (std::vector<float>{0, 4}));  // w - 0.5 dw
  CHECK(read(*b) == (std::vector<float>{7.5F}));
  CHECK(state->steps() == 1);
}

TEST(effects_refuse_what_does_not_fit) {
  CHECK(refusal([](Graph& graph) { add_assign(graph, variable("v", {0, 0}), graph.input("x", {DType::f32, {3}})); }) ==
        "assign: \"v\" is f32 [2], got f32 [3]");
  CHECK(refusal([](Graph& graph) {
          const ValueId hyper = graph.input("hyper", {DType::f64, {1, 1}});
          add_optimizer_step(graph, optimizer({variable("w", {1}), variable("b", {1})}),
                             {{hyper}, hyper, std::nullopt});
        }) == "optimizerStep: expected 2 gradients, got 1");
  CHECK(refusal([](Graph& graph) {
          const ValueId hyper = graph.input("hyper", {DType::f64, {1, 1}});
          const ValueId dw = graph.input("dw", {DType::f32, {3}});
          add_optimizer_step(graph, optimizer({variable("w", {1})}), {{dw}, hyper, std::nullopt});
        }) == "optimizerStep: the gradient of \"w\" must be f32 [1], got f32 [3]");
}

}  // namespace athanor
