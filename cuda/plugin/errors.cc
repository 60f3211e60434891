#include "cuda/plugin/errors.h"

#include <atomic>
#include <utility>

namespace athanor::cuda {
namespace {

thread_local std::string sentence_of_thread;
std::atomic<std::int64_t> launches_so_far, copies_so_far, waits_so_far;

}  // namespace

device::Result set_error(device::Result result, std::string sentence) {
  sentence_of_thread = std::move(sentence);
  return result;
}

const char* last_error() { return sentence_of_thread.c_str(); }

void count_launch() { launches_so_far.fetch_add(1, std::memory_order_relaxed); }
void count_copy() { copies_so_far.fetch_add(1, std::memory_order_relaxed); }
void count_wait() { waits_so_far.fetch_add(1, std::memory_order_relaxed); }

void counters(std::int64_t* launches, std::int64_t* copies, std::int64_t* waits) {
  *launches = launches_so_far.load(std::memory_order_relaxed);
  *copies = copies_so_far.load(std::memory_order_relaxed);
  *waits = waits_so_far.load(std::memory_order_relaxed);
}

}  // namespace athanor::cuda
