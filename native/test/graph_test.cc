// The graph compiler from the outside: a graph is built, compiled and run, optimized and not, and must give the same.
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "graph/cpu_backend.h"
#include "graph/print.h"
#include "graph/vjp.h"
#include "test/test.h"

namespace athanor {
namespace {

std::vector<float> numbers(Index n, std::uint32_t seed) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8) * 0x1p-23F - 1.0F;
  }
  return values;
}

std::vector<std::vector<float>> run(const Graph& graph, const std::vector<std::vector<float>>& feeds, bool optimize) {
  const auto program = cpu().lower(graph, {1, optimize});
  std::vector<const void*> in;
  for (const auto& feed : feeds) in.push_back(feed.data());
  std::vector<std::vector<float>> results;
  for (const Port& port : program->outputs()) results.emplace_back(static_cast<std::size_t>(port.type.count()));
  std::vector<void*> out;
  for (auto& result : results) out.push_back(result.data());
  Sequential sequential;
  RunRequest request;
  request.feeds = in;
  request.results = out;
  request.parallel = &sequential;
  program->run(request);
  program->run(request);  // a second run sees the same
  return results;
}

// y = relu(x w + b) + x2, and the gradients of its sum.
Graph layer() {
  Graph graph;
  const Expr x{&graph, graph.input("x", {DType::f32, {5, 7}})};
  const Expr w{&graph, graph.input("w", {DType::f32, {7, 9}})};
  const Expr b{&graph, graph.input("b", {DType::f32, {9}})};
  const Expr r{&graph, graph.input("r", {DType::f32, {5, 9}})};
  const Expr y = apply(Op::relu, {matmul(x, w) + b}) + r;
  const Expr loss = sum(square(y), {0, 1});
  const auto d = gradients(graph, loss.id, {x.id, w.id, b.id, r.id});
  graph.outputs = {{"y", y.id}, {"loss", loss.id}, {"dx", d[0]}, {"dw", d[1]}, {"db", d[2]}, {"dr", d[3]}};
  return graph;
}

}  // namespace

TEST(passes_change_no_result) {
  const Graph graph = layer();
  const std::vector<std::vector<float>> feeds = {numbers(35, 1), numbers(63, 2), numbers(9, 3), numbers(45, 4)};
  const auto plain = run(graph, feeds, false), fused = run(graph, feeds, true);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    for (std::size_t k = 0; k < plain[i].size(); ++k)
      CHECK(std::fabs(plain[i][k] - fused[i][k]) <= 1e-5F * (1 + std::fabs(plain[i][k])));
  }
  // The formula itself, in double.
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 9; ++j) {
      double z = feeds[2][j];
      for (int k = 0; k < 7; ++k) z += static_cast<double>(feeds[0][i * 7 + k]) * feeds[1][k * 9 + j];
      const double y = std::max(z, 0.0) + feeds[3][i * 9 + j];
      CHECK(std::fabs(fused[0][i * 9 + j] - y) < 1e-5);
      CHECK(std::fabs(fused[5][i * 9 + j] - 2 * y) < 1e-5);
    }
  }
}

TEST(epilogues_are_fused_into_matmul) {
  const auto program = cpu().lower(layer(), {1, true});
  int matmuls = 0, elementwise = 0;
  for (const StepReport& step : program->report().steps) {
    matmuls += step.op == "matmul";
    elementwise += step.op == "fused";
  }
  CHECK(matmuls == 3);
  CHECK(elementwise <= 1);
  CHECK(program->report().arena_bytes <= program->report().unplanned_bytes + 4096);
}

TEST(shape_errors_are_sentences) {
  Graph graph;
  const ValueId a = graph.input("a", {DType::f32, {2, 3}}), b = graph.input("b", {DType::f32, {4, 5}});
  std::string message;
  try {
    graph.apply(Op::matmul, {a, b});
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(message == "matmul: inner dimensions must match, got a [2, 3] and b [4, 5] (3 ≠ 4)");
}

TEST(rows_of_operations_keep_what_they_promise) {
  for (const OpInfo* row : all_ops()) CHECK(row_fault(*row) == "");
}

TEST(attributes_that_a_row_does_not_have_are_refused) {
  Graph graph;
  const ValueId a = graph.input("a", {DType::f32, {2, 2}});
  const auto refusal = [&](Attrs attrs) -> std::string {
    try {
      graph.apply(Op::matmul, {a, a}, std::move(attrs));
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  CHECK(refusal({{"trans_c", true}}) == "matmul: there is no attribute \"trans_c\"; it has trans_a, trans_b");
  CHECK(refusal({{"trans_a", Index{1}}}) == "matmul: trans_a must be true or false, got 1");
  CHECK(refusal({{"trans_a", true}}) == "");
}

}  // namespace athanor
