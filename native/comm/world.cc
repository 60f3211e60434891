#include "comm/world.h"

#include <cstdlib>
#include <future>

#include "comm/launcher.h"
#include "comm/mpi_transport.h"
#include "comm/thread_transport.h"

namespace athanor::comm {
namespace {

// Never destroyed: its thread ends in leave_world, before the statics of MPI go.
struct World {
  std::mutex mutex;
  std::shared_ptr<Communicator> communicator;
  std::atomic<int> exit_code{0};
};

World& the_world() {
  static World* state = new World;
  return *state;
}

// The end of the process, whichever way it came to call exit(). A thread that polls MPI meanwhile would crash.
void leave_world() {
  World& state = the_world();
  if (state.communicator) state.communicator->close(state.exit_code);
}

// MPI_Init waits for all ranks, and no launcher promises that they come: it is given a thread, and up after the deadline.
std::shared_ptr<Communicator> made_within(const std::function<std::unique_ptr<Transport>()>& make,
                                          std::chrono::milliseconds deadline) {
  auto promise = std::make_shared<std::promise<std::shared_ptr<Communicator>>>();
  std::future<std::shared_ptr<Communicator>> made = promise->get_future();
  std::thread([promise, make, deadline] {
    try {
      promise->set_value(std::make_shared<Communicator>(make, deadline));
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  }).detach();
  // The hosts are exchanged within the deadline as well: that error, which knows more, comes first.
  const auto patience = deadline + std::chrono::seconds(1);
  check(made.wait_for(patience) == std::future_status::ready, Code::communication, [&] {
    return "parallel: not all of the " + std::to_string(launcher().size) + " ranks came within " +
           std::to_string((deadline.count() + 999) / 1000) + " s; the first error of another rank is the cause";
  });
  return made.get();
}

}  // namespace

std::shared_ptr<Communicator> connect(std::chrono::milliseconds deadline) {
  World& state = the_world();
  const std::lock_guard lock(state.mutex);
  if (state.communicator) {
    state.communicator->set_deadline(deadline);
    return state.communicator;
  }
  const bool launched = launcher().kind != Launcher::Kind::none;
  const auto make = [launched]() -> std::unique_ptr<Transport> {
    return launched ? make_mpi_transport() : std::move(make_thread_transports(1)[0]);
  };
  state.communicator = made_within(make, deadline);
  std::atexit(leave_world);
  return state.communicator;
}

std::shared_ptr<Communicator> world() {
  World& state = the_world();
  const std::lock_guard lock(state.mutex);
  return state.communicator;
}

void note_exit(int code) { the_world().exit_code = code; }

}  // namespace athanor::comm
