// Communicators over threads: sums that do not depend on who holds what, bytes as the formula says, and failures that reach all.
// Long because the failures of ranks are told beside their sums.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <thread>

#include "comm/agreement.h"
#include "comm/communicator.h"
#include "comm/reduction.h"
#include "comm/shard_tree.h"
#include "comm/thread_transport.h"
#include "comm/transfers.h"
#include "test/test.h"

namespace athanor::comm {
namespace {

using namespace std::chrono_literals;

// body(communicator) on a thread a rank; the communicators end when all bodies have.
void on_ranks(int size, const std::function<void(Communicator&)>& body, std::chrono::milliseconds deadline = 20s) {
  auto transports = make_thread_transports(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      Communicator communicator([&] { return std::move(transports[static_cast<std::size_t>(rank)]); }, deadline);
      body(communicator);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

float value_of(int shard, Index i) {
  return std::sin(static_cast<float>(shard * 7919 + i)) * std::exp2(static_cast<float>(i % 23));
}

// The sum of all shards over `size` ranks, as every rank got it.
std::vector<std::vector<float>> sums_of(int shards, int size, Index elements) {
  std::vector<std::vector<float>> results(static_cast<std::size_t>(size));
  ReductionPlan plan{DType::f32, Reduce::sum, shards, {}};
  for (int rank = 0; rank < size; ++rank) plan.partials.push_back(partials_of(shards, shards_of(shards, rank, size)));
  on_ranks(size, [&](Communicator& communicator) {
    const int rank = communicator.rank();
    const ShardBlock own = shards_of(shards, rank, size);
    const ShardSchedule schedule = schedule_of(shards, own);
    std::vector<std::vector<float>> buffers(static_cast<std::size_t>(schedule.buffers),
                                            std::vector<float>(static_cast<std::size_t>(elements)));
    for (int s = 0; s < own.count; ++s) {
      const auto& entry = schedule.entries[static_cast<std::size_t>(s)];
      for (Index i = 0; i < elements; ++i) {
        float v = value_of(own.lo + s, i);
        for (const int merged : entry.merge)
          v = buffers[static_cast<std::size_t>(merged)][static_cast<std::size_t>(i)] + v;
        buffers[static_cast<std::size_t>(entry.into)][static_cast<std::size_t>(i)] = v;
      }
    }
    ReductionData data;
    for (const int buffer : schedule.partials) data.own.push_back(buffers[static_cast<std::size_t>(buffer)].data());
    data.result = data.own[0];
    data.elements = elements;
    std::vector<std::byte> staging(static_cast<std::size_t>(staging_bytes(plan, rank, elements)));
    const float* result = static_cast<const float*>(data.result);
    communicator.run(communicator.world(), {"all-reduce", "", elements * 4, -1},
                     reduction(plan, rank, std::move(data), staging.data()));
    results[static_cast<std::size_t>(rank)].assign(result, result + elements);
  });
  return results;
}

// The tree of shard_tree.h, written once more.
float tree_sum(int lo, int count, Index i) {
  if (count == 1) return value_of(lo, i);
  int left = 1;
  while (left * 2 < count) left *= 2;
  return tree_sum(lo, left, i) + tree_sum(lo + left, count - left, i);
}

TEST(shards_sum_to_the_same_bits_for_any_number_of_ranks) {
  for (const Index elements : {Index{1}, Index{17}, Index{1000}}) {
    for (int shards = 1; shards <= 9; ++shards) {
      for (int size = 1; size <= shards; ++size) {
        for (const auto& result : sums_of(shards, size, elements)) {
          bool same = true;
          for (Index i = 0; i < elements; ++i)
            same = same && result[static_cast<std::size_t>(i)] == tree_sum(0, shards, i);
          CHECK(same);
        }
      }
    }
  }
}

TEST(sums_of_many_chunks_have_the_same_bits) {
  const Index elements = 300'007;  // more than one chunk a segment
  const auto alone = sums_of(8, 1, elements)[0];
  for (const int size : {2, 3, 4}) {
    for (const auto& result : sums_of(8, size, elements))
      CHECK(std::memcmp(result.data(), alone.data(), alone.size() * 4) == 0);
  }
}

TEST(a_sum_sends_two_times_n_minus_1_over_n_of_the_bytes) {
  for (const int size : {1, 2, 3, 4, 5}) {
    const Index elements = 16 * 60 * 25;  // segments are equal
    std::vector<Index> sent(static_cast<std::size_t>(size));
    on_ranks(size, [&](Communicator& communicator) {
      std::vector<float> data(static_cast<std::size_t>(elements), 1);
      const ReductionPlan plan = plain_reduction(size, DType::f32, Reduce::sum);
      std::vector<std::byte> staging(static_cast<std::size_t>(staging_bytes(plan, communicator.rank(), elements)));
      communicator.run(
          communicator.world(), {"all-reduce", "", elements * 4, -1},
          reduction(plan, communicator.rank(), {{data.data()}, data.data(), elements, true}, staging.data()));
      CHECK(data[0] == static_cast<float>(size) && data.back() == static_cast<float>(size));
      const auto ledger = communicator.ledger();
      CHECK(ledger.at("all-reduce").sent == ledger.at("all-reduce").received);
      sent[static_cast<std::size_t>(communicator.rank())] = ledger.at("all-reduce").sent;
    });
    for (const Index bytes : sent) CHECK(bytes == 2 * (size - 1) * elements * 4 / size);
  }
}

TEST(maximum_minimum_and_other_types) {
  on_ranks(3, [](Communicator& communicator) {
    const int rank = communicator.rank();
    double data[3] = {static_cast<double>(rank), -static_cast<double>(rank), rank == 1 ? NAN : 5.0};
    const ReductionPlan most = plain_reduction(3, DType::f64, Reduce::max);
    std::byte staging[256];
    communicator.run(communicator.world(), {"all-reduce", "", 24, -1},
                     reduction(most, rank, {{data}, data, 3, true}, staging));
    CHECK(data[0] == 2 && data[1] == 0 && std::isnan(data[2]));
    std::int32_t whole[2] = {rank + 1, 10 - rank};
    const ReductionPlan least = plain_reduction(3, DType::i32, Reduce::min);
    communicator.run(communicator.world(), {"all-reduce", "", 8, -1},
                     reduction(least, rank, {{whole}, whole, 2, true}, staging));
    CHECK(whole[0] == 1 && whole[1] == 8);
  });
}

TEST(broadcast_from_every_root_and_gather) {
  for (int size = 1; size <= 6; ++size) {
    on_ranks(size, [&](Communicator& communicator) {
      const int rank = communicator.rank();
      for (int root = 0; root < size; ++root) {
        int data[2] = {rank, rank * 10};
        communicator.run(communicator.world(), {"broadcast", "", 8, -1},
                         broadcast(rank, size, root, data, sizeof data));
        CHECK(data[0] == root && data[1] == root * 10);
      }
      std::vector<std::int64_t> all(static_cast<std::size_t>(size), -1);
      all[static_cast<std::size_t>(rank)] = rank * 3;
      std::vector<Piece> pieces;
      for (int r = 0; r < size; ++r) pieces.push_back({r, &all[static_cast<std::size_t>(r)], 8});
      communicator.run(communicator.world(), {"all-gather", "", 8, -1}, all_gather(rank, pieces));
      for (int r = 0; r < size; ++r) CHECK(all[static_cast<std::size_t>(r)] == r * 3);
    });
  }
}

TEST(groups_do_not_meet) {
  on_ranks(4, [](Communicator& communicator) {
    const int rank = communicator.rank();
    const auto rows = communicator.group(rank < 2 ? std::vector<int>{0, 1} : std::vector<int>{2, 3});
    const auto columns = communicator.group(rank % 2 == 0 ? std::vector<int>{0, 2} : std::vector<int>{1, 3});
    float a = static_cast<float>(rank), b = a;
    const ReductionPlan plan = plain_reduction(2, DType::f32, Reduce::sum);
    std::byte one[64], two[64];
    const auto first =
        communicator.start(rows, {"all-reduce", "", 4, -1}, reduction(plan, rows->rank(), {{&a}, &a, 1, true}, one));
    const auto second = communicator.start(columns, {"all-reduce", "", 4, -1},
                                           reduction(plan, columns->rank(), {{&b}, &b, 1, true}, two));
    communicator.wait(second);
    communicator.wait(first);
    CHECK(a == (rank < 2 ? 1.f : 5.f));
    CHECK(b == (rank % 2 == 0 ? 2.f : 4.f));
    CHECK(communicator.group({(rank + 1) % 4}) == nullptr);
  });
}

// One rank does `fault` instead of a sum that the others wait in; gives what they throw.
std::vector<std::string> sentences_of(int size, std::chrono::milliseconds deadline,
                                      const std::function<void(Communicator&)>& fault) {
  std::vector<std::string> sentences(static_cast<std::size_t>(size));
  on_ranks(
      size,
      [&](Communicator& communicator) {
        if (communicator.rank() == 1) return fault(communicator);
        float x = 1;
        const ReductionPlan plan = plain_reduction(size, DType::f32, Reduce::sum);
        std::vector<std::byte> staging(4096);
        try {
          communicator.run(communicator.world(), {"all-reduce", "bucket 3", 4, 17},
                           reduction(plan, communicator.rank(), {{&x}, &x, 1, true}, staging.data()));
        } catch (const Error& error) {
          CHECK(error.code() == Code::communication);
          sentences[static_cast<std::size_t>(communicator.rank())] = error.what();
        }
      },
      deadline);
  return sentences;
}

TEST(a_failure_of_one_rank_reaches_all) {
  const auto sentences = sentences_of(
      3, 20s, [](Communicator& communicator) { communicator.fail("callback", 17, "TypeError: x is undefined"); });
  for (const int rank : {0, 2}) {
    CHECK(sentences[static_cast<std::size_t>(rank)] == "rank 1 (thread) failed in step 17: TypeError: x is undefined");
  }
}

TEST(a_rank_that_leaves_is_named) {
  const auto sentences = sentences_of(3, 20s, [](Communicator& communicator) { communicator.close(0); });
  for (const int rank : {0, 2}) {
    const std::string& sentence = sentences[static_cast<std::size_t>(rank)];
    CHECK(sentence.find("rank 1 (thread) has ended while") == 0);
    CHECK(sentence.find("all-reduce of bucket 3 (4 bytes) in step 17") != std::string::npos);
  }
}

TEST(a_rank_that_ends_with_a_code_is_named) {
  const auto sentences = sentences_of(3, 20s, [](Communicator& communicator) { communicator.close(3); });
  for (const int rank : {0, 2})
    CHECK(sentences[static_cast<std::size_t>(rank)] == "rank 1 (thread) ended with exit code 3");
}

TEST(a_rank_that_hangs_is_named_after_the_deadline) {
  const auto begun = std::chrono::steady_clock::now();
  const auto sentences = sentences_of(2, 300ms, [](Communicator&) { std::this_thread::sleep_for(1s); });
  CHECK(std::chrono::steady_clock::now() - begun < 4s);
  CHECK(sentences[0].find("rank 1 (thread) did not answer rank 0 (thread) within 0.3 s in all-reduce of bucket 3") ==
        0);
}

TEST(after_a_failure_everything_fails_at_once) {
  on_ranks(2, [](Communicator& communicator) {
    if (communicator.rank() == 0) communicator.fail("validation", -1, "no");
    for (int i = 0; i < 3; ++i) {
      float x = 1;
      const ReductionPlan plan = plain_reduction(2, DType::f32, Reduce::sum);
      std::byte staging[64];
      CHECK_THROWS(communicator.run(communicator.world(), {"all-reduce", "", 4, -1},
                                    reduction(plan, communicator.rank(), {{&x}, &x, 1, true}, staging)),
                   Error);
    }
    CHECK(communicator.failure()->rank == 0);
  });
}

// A rank that sees its messages late, but for notices: what a busy machine does to one of several processes.
class SlowTransport final : public Transport {
 public:
  explicit SlowTransport(std::unique_ptr<Transport> inner) : inner_(std::move(inner)) {}
  std::string name() const override { return inner_->name(); }
  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  std::string host() const override { return inner_->host(); }
  void send(int to, int tag, const void* data, Index bytes, Message& message) override {
    inner_->send(to, tag, data, bytes, message);
  }
  void receive(int from, int tag, void* data, Index bytes, Message& message) override {
    inner_->receive(from, tag, data, bytes, message);
    if (tag != 0) due_[&message] = std::chrono::steady_clock::now() + 50ms;
  }
  bool test(Message& message) override {
    const auto due = due_.find(&message);
    if (due != due_.end() && std::chrono::steady_clock::now() < due->second) return false;
    return inner_->test(message);
  }
  [[noreturn]] void abort(int code) override {
    inner_->abort(code);
    throw Error(Code::communication, "aborted");
  }
  void finish() override { inner_->finish(); }

 private:
  std::unique_ptr<Transport> inner_;
  std::map<const Message*, std::chrono::steady_clock::time_point> due_;
};

// Rank 0 fails as soon as it has what all agreed on; rank 2, which is slow, has it too.
TEST(what_was_agreed_on_reaches_all_before_anybody_ends) {
  auto transports = make_thread_transports(3);
  transports[2] = std::make_unique<SlowTransport>(std::move(transports[2]));
  std::atomic<int> broken{0};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&, rank] {
      Communicator communicator([&] { return std::move(transports[static_cast<std::size_t>(rank)]); }, 20s);
      std::vector<int> told(3, -1);
      told[static_cast<std::size_t>(rank)] = rank;
      std::vector<Piece> pieces;
      for (int r = 0; r < 3; ++r) pieces.push_back({r, &told[static_cast<std::size_t>(r)], sizeof(int)});
      try {
        all_gather_settled(communicator, communicator.world(), {"all-gather", "faults", sizeof(int), 3}, pieces);
      } catch (const Error&) {
        ++broken;
      }
      if (told != std::vector<int>{0, 1, 2}) ++broken;
      if (rank == 0) communicator.fail("exit", -1, "ended with exit code 1");
      communicator.close(rank == 0 ? 1 : 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(broken.load(), 0);
}

}  // namespace
}  // namespace athanor::comm
