#include "comm/mpi_transport.h"

#include "base/error.h"

#if defined(_WIN32)
namespace athanor::comm {

std::unique_ptr<Transport> make_mpi_transport() {
  throw Error(Code::communication, "parallel: several ranks need MPI, which Athanor opens on Linux and macOS alone");
}

}  // namespace athanor::comm
#else
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "comm/mpi_library.h"

namespace athanor::comm {
namespace {

// MPICH (UCX) takes SIGSEGV and others from V8, which needs them for WebAssembly's traps: what was there before comes back.
class KeptSignals {
 public:
  KeptSignals() {
    for (int signal = 1; signal < kSignals; ++signal)
      known_[signal] = sigaction(signal, nullptr, &before_[signal]) == 0;
  }
  ~KeptSignals() {
    for (int signal = 1; signal < kSignals; ++signal) {
      if (known_[signal] && signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &before_[signal], nullptr);
    }
  }

 private:
  static constexpr int kSignals = 32;
  struct sigaction before_[kSignals] = {};
  bool known_[kSignals] = {};
};

// UCX, which MPICH and Open MPI may use, tries its hooks into memory management by growing and shrinking the heap (sbrk). Where another
// thread has grown the heap in between, that takes away memory in use: a crash, now and then, in whatever thread comes by. Without
// the hooks it only forgets registrations of memory, which fast networks pay for; whoever sets the variable decides otherwise.
void leave_memory_alone() { setenv("UCX_MEM_EVENTS", "n", 0); }

class MpiTransport final : public Transport {
 public:
  explicit MpiTransport(const Launcher& launcher) {
    {
      leave_memory_alone();
      const KeptSignals signals;  // some are taken as the library is opened, others in its Init
      mpi_ = open_mpi_library(launcher);
      int provided = 0, ready = 0;
      demand(mpi_.initialized(&ready), "MPI_Initialized");
      // Serialized: this thread makes all calls, but it is not the one that started the process.
      const int serialized = mpi_.abi == MpiLibrary::Abi::standard ? 2048 : 2;
      if (ready == 0) demand(mpi_.init_thread(nullptr, nullptr, serialized, &provided), "MPI_Init_thread");
    }
    mpi_.comm_set_errhandler(mpi_.world, mpi_.errors_return);
    demand(mpi_.comm_rank(mpi_.world, &rank_), "MPI_Comm_rank");
    demand(mpi_.comm_size(mpi_.world, &size_), "MPI_Comm_size");
    if (size_ != launcher.size && size_ == 1) mpi_.finalize();  // alone, it is an MPI of its own
    check(size_ == launcher.size, Code::communication, [&] {
      return "parallel: " + launcher.name + " started " + std::to_string(launcher.size) + " ranks, but " +
             mpi_.version + " (" + mpi_.path + ") sees " + std::to_string(size_) +
             ": launcher and library belong to different MPIs; use the mpirun of that library, or ATHANOR_MPI=" +
             (mpi_.abi == MpiLibrary::Abi::openmpi ? "mpich" : "openmpi");
    });
  }

  std::string name() const override { return mpi_.version; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::string host() const override {
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown host";
  }

  void send(int to, int tag, const void* data, Index bytes, Message& message) override {
    message.active = true;
    demand(mpi_.isend(data, static_cast<int>(bytes), mpi_.byte, to, tag, mpi_.world, message.handle), "MPI_Isend");
  }

  void receive(int from, int tag, void* data, Index bytes, Message& message) override {
    message.active = true;
    demand(mpi_.irecv(data, static_cast<int>(bytes), mpi_.byte, from, tag, mpi_.world, message.handle), "MPI_Irecv");
  }

  bool test(Message& message) override {
    if (!message.active) return true;
    int done = 0;
    // Room for the largest status of the three; MPI_STATUS_IGNORE differs, and no field is read.
    alignas(16) std::byte status[64];
    demand(mpi_.test(message.handle, &done, status), "MPI_Test");
    if (done != 0) message.active = false;
    return done != 0;
  }

  [[noreturn]] void abort(int code) override {
    mpi_.abort(mpi_.world, code);
    std::_Exit(code);
  }

  void finish() override { mpi_.finalize(); }

 private:
  void demand(int result, const char* function) const {
    if (result == 0) return;
    char text[1024] = {};
    int length = 0;
    mpi_.error_string(result, text, &length);
    throw Error(Code::communication, std::string("parallel: ") + function + ": " + text);
  }

  MpiLibrary mpi_;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::unique_ptr<Transport> make_mpi_transport() { return std::make_unique<MpiTransport>(launcher()); }

}  // namespace athanor::comm
#endif
