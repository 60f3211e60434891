// The ground floor: element types, the error type, the sequential Parallel.
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "base/parallel.h"
#include "test/test.h"

using namespace athanor;

TEST(dtype_sizes_are_those_of_the_stored_elements) {
  CHECK_EQ(size_of(DType::f32), 4);
  CHECK_EQ(size_of(DType::f64), 8);
  CHECK_EQ(size_of(DType::bf16), 2);
  CHECK_EQ(size_of(DType::boolean), 1);
  CHECK_EQ(std::string(name_of(DType::boolean)) == "bool", true);
}

TEST(check_throws_its_sentence_and_code) {
  try {
    check(false, Code::shape, [] { return std::string("matmul: no"); });
    CHECK(false);
  } catch (const Error& error) {
    CHECK(error.code() == Code::shape);
    CHECK(std::string(error.what()) == "matmul: no");
    CHECK(std::string(name_of(error.code())) == "ERR_ATHANOR_SHAPE");
  }
}

TEST(check_builds_no_message_when_it_holds) {
  bool built = false;
  check(true, Code::internal, [&] {
    built = true;
    return std::string();
  });
  CHECK(!built);
}

TEST(shares_cover_all_tasks_and_mirror_within_themselves) {
  for (const int workers : {1, 2, 3, 7})
    for (const int tasks : {1, 2, 5, 64, 65}) {
      int next = 0;
      for (int worker = 0; worker < workers; ++worker) {
        const Share share = share_of(worker, tasks, workers);
        CHECK_EQ(share.begin, next);
        for (int task = share.begin; task < share.end; ++task)
          CHECK_EQ(mirrored(task, tasks, workers), share.begin + share.end - 1 - task);
        next = share.end;
      }
      CHECK_EQ(next, tasks);
    }
}

TEST(sequential_runs_every_task_once_on_worker_zero) {
  Sequential sequential;
  Parallel& parallel = sequential;
  std::vector<int> seen(5, 0);
  parallel.run(5, [&](int task, int worker) {
    CHECK_EQ(worker, 0);
    seen[static_cast<std::size_t>(task)] += 1;
  });
  for (int times : seen) CHECK_EQ(times, 1);
}
