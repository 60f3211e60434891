// An MPI library, opened when it is first needed: no header and no linking, so that nobody needs MPI to install Athanor or to run it
// on one machine. Open MPI 4 and 5, MPICH 4 and the standard ABI of MPI 5 differ in what a handle is; this page holds the
// constants of all three.
#pragma once
#include <cstdint>
#include <string>

#include "comm/launcher.h"

namespace athanor::comm {

// A handle as it is passed: a pointer in Open MPI and the standard ABI, an int in MPICH, which reads the lower half of the register.
using MpiHandle = std::uintptr_t;

struct MpiLibrary {
  enum class Abi { openmpi, mpich, standard };
  Abi abi = Abi::mpich;
  std::string path;
  std::string version;  // the library's own first line

  int handle_bytes = 8;
  MpiHandle world = 0, byte = 0, request_null = 0, errors_return = 0;
  void* status_ignore = nullptr;

  int (*init_thread)(int*, char***, int, int*) = nullptr;
  int (*initialized)(int*) = nullptr;
  int (*finalize)() = nullptr;
  int (*abort)(MpiHandle, int) = nullptr;
  int (*comm_rank)(MpiHandle, int*) = nullptr;
  int (*comm_size)(MpiHandle, int*) = nullptr;
  int (*comm_set_errhandler)(MpiHandle, MpiHandle) = nullptr;
  int (*isend)(const void*, int, MpiHandle, int, int, MpiHandle, void*) = nullptr;
  int (*irecv)(void*, int, MpiHandle, int, int, MpiHandle, void*) = nullptr;
  int (*test)(void*, int*, void*) = nullptr;
  int (*error_string)(int, char*, int*) = nullptr;
};

// Opens ATHANOR_MPI ("openmpi", "mpich", or the path of a library), or what belongs to the launcher. Throws Code::communication:
// what was tried, what each attempt said, and how to install one.
MpiLibrary open_mpi_library(const Launcher& launcher);

}  // namespace athanor::comm
