// The ranks that this process belongs to: those that mpirun or srun has started, or itself alone. One for the process, whichever
// thread or environment asks.
#pragma once
#include <chrono>
#include <memory>

#include "comm/communicator.h"

namespace athanor::comm {

// Joins the others, the first time; afterwards only the deadline is taken on. MPI is opened where a launcher has started this process,
// and nowhere else. Throws Code::communication.
std::shared_ptr<Communicator> connect(std::chrono::milliseconds deadline);

// Null before connect().
std::shared_ptr<Communicator> world();

// The code that the process is about to end with: what the others are told. Without this word it is 0.
void note_exit(int code);

}  // namespace athanor::comm
