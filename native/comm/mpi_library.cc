#include "comm/mpi_library.h"

#if !defined(_WIN32)
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace athanor::comm {
namespace {

const std::vector<const char*> kOpenMpi = {"libmpi.so.40", "libmpi.so.80", "libmpi.so"};
const std::vector<const char*> kMpich = {"libmpich.so.12", "libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi.so.12",
                                         "libmpi.so"};

std::vector<std::string> candidates(const Launcher& launcher) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<const char*>& more) { names.insert(names.end(), more.begin(), more.end()); };
  const char* wanted = std::getenv("ATHANOR_MPI");
  const std::string_view asked = wanted == nullptr ? "" : wanted;
  if (asked == "openmpi") {
    add(kOpenMpi);
  } else if (asked == "mpich") {
    add(kMpich);
  } else if (!asked.empty()) {
    names.emplace_back(asked);
  } else if (launcher.kind == Launcher::Kind::hydra) {
    add(kMpich);
  } else {
    add(kOpenMpi);
    if (launcher.kind != Launcher::Kind::openmpi) add(kMpich);
  }
  return names;
}

void constants_of(MpiLibrary& library, void* handle) {
  const auto address = [&](const char* name) { return reinterpret_cast<MpiHandle>(dlsym(handle, name)); };
  int (*abi_version)(int*, int*) = nullptr;
  abi_version = reinterpret_cast<decltype(abi_version)>(dlsym(handle, "MPI_Abi_get_version"));
  if (address("ompi_mpi_comm_world") != 0) {
    library.abi = MpiLibrary::Abi::openmpi;
    library.world = address("ompi_mpi_comm_world");
    library.byte = address("ompi_mpi_byte");
    library.request_null = address("ompi_request_null");
    library.errors_return = address("ompi_mpi_errors_return");
    library.status_ignore = nullptr;
    return;
  }
  int major = -1, minor = -1;
  if (abi_version != nullptr && abi_version(&major, &minor) == 0 && major >= 1) {
    library.abi = MpiLibrary::Abi::standard;
    library.world = 0x101;
    library.byte = 0x247;
    library.request_null = 0x180;
    library.errors_return = 0x143;
    library.status_ignore = nullptr;
    return;
  }
  library.abi = MpiLibrary::Abi::mpich;
  library.handle_bytes = 4;
  library.world = 0x44000000;
  library.byte = 0x4c00010d;
  library.request_null = 0x2c000000;
  library.errors_return = 0x54000001;
  library.status_ignore = reinterpret_cast<void*>(1);
}

// Empty when all is there, else what is missing.
std::string bind(MpiLibrary& library, void* handle) {
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
    if (function == nullptr && missing.empty()) missing = name;
  };
  find(library.init_thread, "MPI_Init_thread");
  find(library.initialized, "MPI_Initialized");
  find(library.finalize, "MPI_Finalize");
  find(library.abort, "MPI_Abort");
  find(library.comm_rank, "MPI_Comm_rank");
  find(library.comm_size, "MPI_Comm_size");
  find(library.comm_set_errhandler, "MPI_Comm_set_errhandler");
  find(library.isend, "MPI_Isend");
  find(library.irecv, "MPI_Irecv");
  find(library.test, "MPI_Test");
  find(library.error_string, "MPI_Error_string");
  return missing;
}

std::string first_line_of_version(void* handle) {
  int (*version)(char*, int*) = nullptr;
  version = reinterpret_cast<decltype(version)>(dlsym(handle, "MPI_Get_library_version"));
  std::vector<char> text(8192 + 1);
  int length = 0;
  if (version == nullptr || version(text.data(), &length) != 0) return "MPI";
  const std::string_view all(text.data());
  std::string line(all.substr(0, all.find_first_of("\n,")));
  for (char& c : line) c = c == '\t' ? ' ' : c;
  return line;
}

}  // namespace

// RTLD_GLOBAL: Open MPI opens parts of itself that look for the symbols of the whole.
MpiLibrary open_mpi_library(const Launcher& launcher) {
  std::string tried;
  for (const std::string& name : candidates(launcher)) {
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
    const char* problem = handle == nullptr ? dlerror() : nullptr;
    if (handle != nullptr) {
      MpiLibrary library;
      const std::string missing = bind(library, handle);
      if (missing.empty()) {
        constants_of(library, handle);
        library.path = name;
        library.version = first_line_of_version(handle);
        return library;
      }
      dlclose(handle);
      tried += (tried.empty() ? "" : "; ") + name + " has no " + missing;
      continue;
    }
    const std::string_view said = problem == nullptr ? "" : problem;
    const bool absent = said.find("No such file") != std::string_view::npos;
    tried += (tried.empty() ? "" : "; ") + name + (absent ? " is not there" : ": " + std::string(said));
  }
  throw Error(Code::communication,
              "parallel: no MPI library could be opened (" + tried +
                  "); install one (apt-get install openmpi-bin, or mpich), or name it: ATHANOR_MPI=/path/to/libmpi.so");
}

}  // namespace athanor::comm
#endif
