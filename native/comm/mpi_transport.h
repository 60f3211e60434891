// Ranks as processes that mpirun or srun has started.
#pragma once
#include <memory>

#include "comm/transport.h"

namespace athanor::comm {

// Opens the library and initializes it, on the thread that will make all calls. Throws Code::communication: no library, the wrong
// launcher for it.
std::unique_ptr<Transport> make_mpi_transport();

}  // namespace athanor::comm
