// Collectives as nodes of a graph, over ranks that are threads: values, gradients, the order of starts and waits, and the proof.
// Long because every collective has its values and its gradient here.
#include <cmath>
#include <functional>
#include <mutex>
#include <numeric>
#include <thread>

#include "comm/thread_transport.h"
#include "graph/cpu_backend.h"
#include "graph/passes/passes.h"
#include "graph/vjp.h"
#include "ops/comm/rank_group.h"
#include "test/test.h"

namespace athanor {
namespace {

using namespace std::chrono_literals;

struct Ranked {
  std::shared_ptr<comm::Communicator> communicator;
  std::shared_ptr<RankGroup> group;  // all ranks
  int rank() const { return communicator->rank(); }
  int size() const { return communicator->size(); }
};

void on_ranks(int size, const std::function<void(Ranked&)>& body, std::chrono::milliseconds deadline = 20s) {
  auto transports = comm::make_thread_transports(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto communicator = std::make_shared<comm::Communicator>(
          [&] { return std::move(transports[static_cast<std::size_t>(rank)]); }, deadline);
      Ranked ranked{communicator, std::make_shared<RankGroup>(communicator, communicator->world(), "all")};
      body(ranked);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// The outputs of a graph, as f32, by the passes or without.
std::vector<std::vector<float>> run(const Graph& graph, bool optimize) {
  const auto program = cpu().lower(graph, {1, optimize});
  std::vector<std::vector<float>> results;
  std::vector<void*> pointers;
  for (const Port& output : program->outputs()) results.emplace_back(static_cast<std::size_t>(output.type.count()));
  for (auto& result : results) pointers.push_back(result.data());
  Sequential sequential;
  RunRequest request;
  request.results = pointers;
  request.parallel = &sequential;
  program->run(request);
  return results;
}

float value_of(int rank, Index i) { return static_cast<float>(rank * 100 + i); }

// What a rank holds, as a parameter so that nothing is folded: [shape], value_of(rank, i).
ValueId held(Graph& graph, int rank, const Shape& shape) {
  const Type type{DType::f32, shape};
  auto variable = std::make_shared<Variable>("x", type);
  std::vector<float> values(static_cast<std::size_t>(type.count()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = value_of(rank, static_cast<Index>(i));
  variable->write(values.data());
  return graph.parameter(variable);
}

Expr on(Graph& graph, const Ranked& ranked, Op op, std::vector<ValueId> inputs, Attrs attrs) {
  attrs.set("resource", graph.add_resource(ranked.group));
  return collective(graph, op, std::move(inputs), std::move(attrs));
}

// Uneven parts of an axis: 3, 1, 2, 0, …
std::vector<Index> parts_of(int size) {
  const Index parts[] = {3, 1, 2, 0};
  return {parts, parts + size};
}

TEST(all_reduce_sums_and_every_rank_gets_the_sum_as_gradient) {
  for (const int size : {1, 2, 3, 4}) {
    for (const bool optimize : {false, true}) {
      on_ranks(size, [&](Ranked& ranked) {
        Graph graph;
        const ValueId x = held(graph, ranked.rank(), {5, 7});
        const Expr y = on(graph, ranked, Op::all_reduce, {x}, {});
        // The loss of rank r is (r + 1) Σ y: the gradient of all losses together is Σ (r + 1).
        const Expr loss = sum(y, {0, 1}) * (ranked.rank() + 1.0);
        const auto dx = gradients(graph, loss.id, {x});
        graph.outputs = {{"y", y.id}, {"dx", dx[0]}};
        const auto results = run(graph, optimize);
        for (Index i = 0; i < 35; ++i) {
          float expected = 0;
          for (int r = 0; r < size; ++r) expected += value_of(r, i);
          CHECK_EQ(results[0][static_cast<std::size_t>(i)], expected);
          CHECK_EQ(results[1][static_cast<std::size_t>(i)], static_cast<float>(size * (size + 1) / 2));
        }
      });
    }
  }
}

TEST(gather_and_scatter_are_adjoints_along_any_axis_and_for_uneven_parts) {
  for (const int size : {2, 3, 4}) {
    for (const int axis : {0, 1, 2}) {
      on_ranks(size, [&](Ranked& ranked) {
        const std::vector<Index> sizes = parts_of(size);
        const Index whole = std::accumulate(sizes.begin(), sizes.end(), Index{0});
        Shape shape{2, 2, 2};
        shape[axis] = sizes[static_cast<std::size_t>(ranked.rank())];
        Graph graph;
        const ValueId x = held(graph, ranked.rank(), shape);
        const Expr y = on(graph, ranked, Op::all_gather, {x}, {{"axis", Index{axis}}, {"sizes", sizes}});
        CHECK_EQ(y.shape()[axis], whole);
        // Σ y² of all ranks: d/dx = 2 x · ranks.
        const auto dx = gradients(graph, sum(square(y), {0, 1, 2}).id, {x});
        const Expr back = on(graph, ranked, Op::reduce_scatter, {y.id}, {{"axis", Index{axis}}, {"sizes", sizes}});
        graph.outputs = {{"y", y.id}, {"dx", dx[0]}, {"back", back.id}};
        const auto results = run(graph, true);
        const AxisView view = view_along(y.shape(), axis);
        Index first = 0;
        for (int r = 0; r < size; ++r) {
          const Index own = sizes[static_cast<std::size_t>(r)];
          for (Index o = 0; o < view.outer; ++o) {
            for (Index i = 0; i < own * view.inner; ++i) {
              const Index at = o * whole * view.inner + first * view.inner + i;
              CHECK_EQ(results[0][static_cast<std::size_t>(at)], value_of(r, o * own * view.inner + i));
            }
          }
          first += own;
        }
        for (std::size_t i = 0; i < results[1].size(); ++i) {
          const float own = value_of(ranked.rank(), static_cast<Index>(i));
          CHECK_EQ(results[1][i], 2 * own * static_cast<float>(size));
          CHECK_EQ(results[2][i], own * static_cast<float>(size));
        }
      });
    }
  }
}

TEST(all_to_all_turns_parts_of_rows_into_parts_of_columns_and_back) {
  for (const int size : {2, 3, 4}) {
    on_ranks(size, [&](Ranked& ranked) {
      const std::vector<Index> rows = parts_of(size), columns(static_cast<std::size_t>(size), 2);
      const Index own = rows[static_cast<std::size_t>(ranked.rank())];
      const Index all_rows = std::accumulate(rows.begin(), rows.end(), Index{0});
      Graph graph;
      const ValueId x = held(graph, ranked.rank(), {own, 2 * size});
      const Expr y = on(graph, ranked, Op::all_to_all, {x},
                        {{"split", Index{1}}, {"concat", Index{0}}, {"split_sizes", columns}, {"concat_sizes", rows}});
      CHECK_EQ(y.shape()[0], all_rows);
      CHECK_EQ(y.shape()[1], Index{2});
      const Expr back =
          on(graph, ranked, Op::all_to_all, {y.id},
             {{"split", Index{0}}, {"concat", Index{1}}, {"split_sizes", rows}, {"concat_sizes", columns}});
      const auto dx = gradients(graph, sum(square(y), {0, 1}).id, {x});
      graph.outputs = {{"y", y.id}, {"back", back.id}, {"dx", dx[0]}};
      const auto results = run(graph, true);
      std::size_t at = 0;
      for (int r = 0; r < size; ++r) {
        for (Index row = 0; row < rows[static_cast<std::size_t>(r)]; ++row) {
          for (Index c = 0; c < 2; ++c) CHECK_EQ(results[0][at++], value_of(r, row * 2 * size + ranked.rank() * 2 + c));
        }
      }
      for (std::size_t i = 0; i < results[1].size(); ++i) {
        CHECK_EQ(results[1][i], value_of(ranked.rank(), static_cast<Index>(i)));
        CHECK_EQ(results[2][i], 2 * value_of(ranked.rank(), static_cast<Index>(i)));
      }
    });
  }
}

TEST(broadcast_gives_the_root_the_gradients_of_all) {
  on_ranks(3, [&](Ranked& ranked) {
    Graph graph;
    const ValueId x = held(graph, ranked.rank(), {4});
    const Expr y = on(graph, ranked, Op::broadcast, {x}, {{"root", Index{1}}});
    const auto dx = gradients(graph, (sum(y, {0}) * (ranked.rank() + 1.0)).id, {x});
    graph.outputs = {{"y", y.id}, {"dx", dx[0]}};
    const auto results = run(graph, true);
    for (Index i = 0; i < 4; ++i) {
      CHECK_EQ(results[0][static_cast<std::size_t>(i)], value_of(1, i));
      CHECK_EQ(results[1][static_cast<std::size_t>(i)], ranked.rank() == 1 ? 6.0f : 0.0f);
    }
  });
}

// y = 3 x goes from rank 0 to rank 1, whose loss is Σ y²: its gradient comes back to rank 0 by the same channel.
TEST(send_and_receive_carry_gradients_back) {
  on_ranks(2, [&](Ranked& ranked) {
    Graph graph;
    const ValueId x = held(graph, 0, {6});
    std::vector<ValueId> dx;
    if (ranked.rank() == 0) {
      const Expr y = Expr{&graph, x} * 3.0;
      const Expr sent = on(graph, ranked, Op::send, {y.id}, {{"to", Index{1}}, {"channel", Index{2}}});
      dx = gradients(graph, sent.id, {x});
    } else {
      const Expr token = sum(Expr{&graph, x} * 0.0, {0});
      const Expr y =
          on(graph, ranked, Op::receive, {token.id},
             {{"from", Index{0}}, {"channel", Index{2}}, {"shape", std::vector<Index>{6}}, {"dtype", "f32"}});
      dx = gradients(graph, sum(square(y), {0}).id, {x});
      graph.outputs = {{"y", y.id}};
    }
    graph.outputs.push_back({"dx", dx[0]});
    const auto results = run(graph, true);
    for (Index i = 0; i < 6; ++i) {
      if (ranked.rank() == 0) CHECK_EQ(results[0][static_cast<std::size_t>(i)], 18 * value_of(0, i));
      if (ranked.rank() == 1) CHECK_EQ(results[0][static_cast<std::size_t>(i)], 3 * value_of(0, i));
    }
  });
}

// Rank 0 sends on channel 0 and then 1, rank 1 receives the other way round, with a sum of all in between on one of them.
TEST(channels_and_collectives_need_no_common_order) {
  on_ranks(2, [&](Ranked& ranked) {
    Graph graph;
    const ValueId x = held(graph, ranked.rank(), {3});
    const auto receive = [&](Index channel) {
      return on(graph, ranked, Op::receive, {},
                {{"from", Index{0}}, {"channel", channel}, {"shape", std::vector<Index>{3}}, {"dtype", "f32"}});
    };
    if (ranked.rank() == 0) {
      on(graph, ranked, Op::send, {x}, {{"to", Index{1}}, {"channel", Index{0}}});
      const Expr all = on(graph, ranked, Op::all_reduce, {x}, {});
      on(graph, ranked, Op::send, {all.id}, {{"to", Index{1}}, {"channel", Index{1}}});
      graph.outputs = {{"all", all.id}};
      run(graph, true);
    } else {
      const Expr all = on(graph, ranked, Op::all_reduce, {x}, {});
      const Expr second = receive(1), first = receive(0);
      graph.outputs = {{"all", all.id}, {"second", second.id}, {"first", first.id}};
      const auto results = run(graph, true);
      for (Index i = 0; i < 3; ++i) {
        const float sum = value_of(0, i) + value_of(1, i);
        CHECK_EQ(results[0][static_cast<std::size_t>(i)], sum);
        CHECK_EQ(results[1][static_cast<std::size_t>(i)], sum);
        CHECK_EQ(results[2][static_cast<std::size_t>(i)], value_of(0, i));
      }
    }
  });
}

// The names of the ops of a compiled graph, in order.
std::vector<std::string> order_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) {
    if (!info(node.op).is(kSource)) names.push_back(info(node.op).name);
  }
  return names;
}

TEST(a_start_moves_up_to_its_operand_and_a_wait_down_to_its_reader) {
  on_ranks(2, [&](Ranked& ranked) {
    Graph graph;
    const Expr x{&graph, held(graph, ranked.rank(), {4, 4})};
    const Expr first = matmul(x, x);
    const Expr second = matmul(first, x);
    const Expr summed = on(graph, ranked, Op::all_reduce, {first.id}, {});
    const Expr third = matmul(second, x);
    graph.outputs = {{"y", matmul(third, summed).id}};
    const auto names = order_of(place_collectives(graph));
    const std::vector<std::string> expected = {"matmul", "collective_start", "matmul",
                                               "matmul", "collective_wait",  "matmul"};
    CHECK(names == expected);
    run(graph, true);
  });
}

// The second collective could begin first; it does not, as ranks might differ in what they simplify.
TEST(starts_keep_the_order_in_which_they_were_traced) {
  on_ranks(1, [&](Ranked& ranked) {
    Graph graph;
    const Expr x{&graph, held(graph, 0, {4, 4})};
    const Expr a = matmul(matmul(x, x), x);
    const Expr first = on(graph, ranked, Op::all_reduce, {a.id}, {});
    const Expr second =
        on(graph, ranked, Op::all_gather, {x.id}, {{"axis", Index{0}}, {"sizes", std::vector<Index>{4}}});
    graph.outputs = {{"a", first.id}, {"b", second.id}};
    const Graph placed = place_collectives(graph);
    std::vector<std::string> started;
    for (const Node& node : placed.nodes()) {
      if (node.op == Op::collective_start) started.push_back(node.attrs.text("op"));
    }
    CHECK(started == (std::vector<std::string>{"all_reduce", "all_gather"}));
  });
}

TEST(ranks_with_other_collectives_are_told_apart_before_the_first) {
  std::mutex mutex;
  std::vector<std::string> sentences;
  on_ranks(3, [&](Ranked& ranked) {
    Graph graph;
    const ValueId x = held(graph, ranked.rank(), {4});
    const Expr a = on(graph, ranked, Op::all_reduce, {x}, {});
    const Expr b = on(graph, ranked, Op::all_reduce, {a.id}, {{"reduce", ranked.rank() == 1 ? "max" : "sum"}});
    graph.outputs = {{"b", b.id}};
    try {
      run(graph, true);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      sentences.emplace_back(error.what());
    }
  });
  CHECK_EQ(sentences.size(), std::size_t{3});
  for (const std::string& sentence : sentences) {
    CHECK(
        sentence.find("the collectives of rank 1 (thread) are not those of rank 0 (thread): number 2 among \"all\" is "
                      "all_reduce max of f32 [4], not all_reduce sum of f32 [4]") != std::string::npos);
  }
}

// Disjoint groups share a number: pairs sum among themselves.
TEST(groups_without_common_members_work_side_by_side) {
  on_ranks(4, [&](Ranked& ranked) {
    const auto pair = ranked.communicator->split({{0, 2}, {3, 1}});
    Ranked own{ranked.communicator, std::make_shared<RankGroup>(ranked.communicator, pair, "pair")};
    Graph graph;
    const ValueId x = held(graph, ranked.rank(), {9});
    graph.outputs = {{"y", on(graph, own, Op::all_reduce, {x}, {}).id}};
    const auto results = run(graph, true);
    const int other = ranked.rank() == 0 ? 2 : ranked.rank() == 2 ? 0 : ranked.rank() == 1 ? 3 : 1;
    for (Index i = 0; i < 9; ++i)
      CHECK_EQ(results[0][static_cast<std::size_t>(i)], value_of(ranked.rank(), i) + value_of(other, i));
  });
}

TEST(a_rank_that_does_not_come_ends_the_others_within_the_deadline) {
  on_ranks(
      2,
      [&](Ranked& ranked) {
        if (ranked.rank() == 1) return;
        Graph graph;
        const ValueId x = held(graph, 0, {9});
        graph.outputs = {{"y", on(graph, ranked, Op::all_reduce, {x}, {}).id}};
        std::string sentence;
        try {
          run(graph, true);
        } catch (const Error& error) {
          sentence = error.what();
        }
        CHECK(sentence.find("rank 1 (thread)") != std::string::npos);
      },
      500ms);
}

}  // namespace
}  // namespace athanor
