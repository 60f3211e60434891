// Pool, queue and executor: every task once, order kept, the same bits for any number of threads, and no effect of a failed run.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "graph/cpu_backend.h"
#include "graph/vjp.h"
#include "ops/effects/append.h"
#include "runtime/fill.h"
#include "runtime/queue.h"
#include "runtime/stream_copy.h"
#include "runtime/thread_pool.h"
#include "test/test.h"

namespace athanor {
namespace {

constexpr Index kBatch = 48, kIn = 37, kHidden = 65, kOut = 7;

// Two linear layers, cross-entropy and an AdamW step: what one training step is made of.
struct Training {
  std::vector<std::shared_ptr<Variable>> weights;
  std::shared_ptr<OptimizerState> optimizer;
  std::unique_ptr<Program> program;
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  std::vector<double> hyper = {1e-2, 0.01, 0.9, 0.999, 1e-8, 0, 0};
  float loss = 0;

  explicit Training(int workers) : x(kBatch * kIn), labels(kBatch) {
    const Shape shapes[] = {{kHidden, kIn}, {kHidden}, {kOut, kHidden}, {kOut}};
    for (int i = 0; i < 4; ++i) {
      weights.push_back(std::make_shared<Variable>("w" + std::to_string(i), Type{DType::f32, shapes[i]}));
      fill(*weights.back(), "uniform", -0.2, 0.2, 11, static_cast<std::uint32_t>(i));
    }
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
    for (Index i = 0; i < kBatch; ++i) labels[i] = static_cast<std::int32_t>(i * 5 % kOut);
    optimizer = std::make_shared<OptimizerState>(optim::RuleId::adamw, std::vector<OptimizerGroup>{{weights, hyper}},
                                                 optim::StepOptions{1, 1.0});
    Graph graph;
    const Expr in{&graph, graph.input("x", {DType::f32, {kBatch, kIn}})};
    const Expr y{&graph, graph.input("y", {DType::i32, {kBatch}})};
    std::vector<Expr> w;
    for (const auto& weight : weights) w.push_back({&graph, graph.parameter(weight)});
    const Expr h = apply(Op::relu, {matmul(in, w[0], false, true) + w[1]});
    const Expr keep =
        cast(compare(Op::ge,
                     {&graph, graph.apply(Op::random_uniform, {},
                                          {{"key", Index{0}}, {"shape", std::vector<Index>{kBatch, kHidden}}})},
                     0.25),
             DType::f32);
    const Expr loss_value = mean(apply(Op::cross_entropy, {matmul(h * keep, w[2], false, true) + w[3], y}), {0});
    const auto gradient = gradients(graph, loss_value.id, {w[0].id, w[1].id, w[2].id, w[3].id});
    add_optimizer_step(graph, optimizer, {gradient, graph.input("hyper", {DType::f64, {1, 7}}), std::nullopt});
    graph.outputs = {{"loss", loss_value.id}};
    program = cpu().lower(graph, {workers, true});
  }

  void step(Parallel& parallel, std::uint64_t number, const std::atomic<bool>* cancelled = nullptr) {
    const void* feeds[] = {x.data(), labels.data(), hyper.data()};
    void* results[] = {&loss};
    RunRequest request;
    request.feeds = feeds;
    request.results = results;
    request.seed = 5;
    request.step = number;
    request.parallel = &parallel;
    request.cancelled = cancelled;
    program->run(request);
  }

  std::vector<float> values() const {
    std::vector<float> all;
    for (const auto& weight : weights) {
      std::vector<float> one(static_cast<std::size_t>(weight->type().count()));
      weight->read(one.data());
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
};

}  // namespace

TEST(every_task_runs_once_whoever_calls) {
  ThreadPool pool(4);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        const int tasks = round % 37;
        std::vector<std::atomic<int>> seen(tasks);
        pool.run(tasks, [&](int task, int worker) {
          ++seen[task];
          if (worker < 0 || worker >= pool.workers()) ++wrong;
        });
        for (const auto& count : seen) wrong += count.load() != 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK_EQ(wrong.load(), 0);
}

TEST(a_queue_keeps_its_order_and_stops) {
  std::vector<int> order;
  std::atomic<int> done{0};
  RunQueue queue;
  for (int i = 0; i < 100; ++i) {
    queue.submit([&, i] {
      order.push_back(i);
      ++done;
    });
  }
  while (done.load() < 100) std::this_thread::yield();
  queue.stop();
  queue.submit([&] { ++done; });
  CHECK_EQ(done.load(), 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST(training_gives_the_same_bits_for_any_number_of_threads) {
  std::vector<float> expected;
  for (const int workers : {1, 2, 7}) {
    ThreadPool pool(workers);
    Training training(workers);
    const std::vector<float> before = training.values();
    float first = 0;
    for (int step = 0; step < 20; ++step) {
      training.step(pool, static_cast<std::uint64_t>(step));
      if (step == 0) first = training.loss;
    }
    CHECK(training.loss < first);
    CHECK(training.values() != before);
    if (workers == 1) expected = training.values();
    CHECK(training.values() == expected);
  }
}

TEST(a_failed_run_changes_nothing) {
  Sequential sequential;
  Training training(1);
  const std::vector<float> before = training.values();
  training.labels[9] = kOut;
  std::string message;
  try {
    training.step(sequential, 0);
  } catch (const Error& error) {
    CHECK(error.code() == Code::argument);
    message = error.what();
  }
  CHECK(message.find("label 7 of row 9 is no class, expected 0 to 6") != std::string::npos);
  CHECK(training.values() == before);
  const std::atomic<bool> cancelled{true};
  try {
    training.labels[9] = 0;
    training.step(sequential, 0, &cancelled);
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Code::aborted);
  }
  CHECK(training.values() == before);
  CHECK_EQ(training.optimizer->steps(), 0);
}

TEST(first_values_follow_their_distributions) {
  Variable v("v", {DType::f32, {100000}});
  const auto moments = [&](const char* kind, double a, double b) {
    fill(v, kind, a, b, 3, 1);
    std::vector<float> values(100000);
    v.read(values.data());
    double sum = 0, squares = 0, most = -1e30;
    for (const float value : values) {
      sum += value;
      squares += static_cast<double>(value) * value;
      most = std::max(most, std::fabs(value - a));
    }
    const double mean = sum / 1e5;
    return std::array<double, 3>{mean, std::sqrt(squares / 1e5 - mean * mean), most};
  };
  const auto uniform = moments("uniform", -1, 1);
  CHECK(std::fabs(uniform[0]) < 0.01 && std::fabs(uniform[1] - 1 / std::sqrt(3.0)) < 0.005);
  const auto normal = moments("normal", 2, 0.5);
  CHECK(std::fabs(normal[0] - 2) < 0.01 && std::fabs(normal[1] - 0.5) < 0.005);
  const auto truncated = moments("truncated", 0, 1);
  CHECK(truncated[2] <= 2.0 && std::fabs(truncated[1] - 0.8796) < 0.01);  // of a normal cut at two deviations
}

TEST(a_copy_past_the_caches_copies_those_bytes_and_no_others) {
  std::vector<std::byte> from(5100), to(5000);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 37 + i / 256);
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 127, 128, 191, 1024, 1089, 4096, 4703}) {
    for (const std::size_t at : {0, 1, 17, 63, 64, 100}) {
      std::fill(to.begin(), to.end(), std::byte{0xee});
      stream_copy(to.data() + at, from.data() + 3 * at, bytes);
      CHECK(std::memcmp(to.data() + at, from.data() + 3 * at, bytes) == 0);
      const auto untouched = [](std::byte value) { return value == std::byte{0xee}; };
      CHECK(std::all_of(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(at), untouched));
      CHECK(std::all_of(to.begin() + static_cast<std::ptrdiff_t>(at + bytes), to.end(), untouched));
    }
  }
}

TEST(memory_is_counted) {
  const std::int64_t before = Block::total();
  {
    const Block small(100), large(Index{5} << 20);
    CHECK_EQ(Block::total() - before, 100 + (std::int64_t{5} << 20));
    CHECK(reinterpret_cast<std::uintptr_t>(small.data()) % 64 == 0);
    CHECK(static_cast<int>(large.data()[Index{4} << 20]) == 0);
  }
  CHECK_EQ(Block::total(), before);
}

}  // namespace athanor
