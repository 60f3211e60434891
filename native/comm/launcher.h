// What the launcher (mpirun, srun) says of this process in the environment, before any library is loaded.
#pragma once
#include <string>

namespace athanor::comm {

struct Launcher {
  enum class Kind { none, openmpi, hydra, slurm };
  Kind kind = Kind::none;
  int rank = 0;
  int size = 1;
  std::string name;  // "mpirun of Open MPI"
};

Launcher launcher();

}  // namespace athanor::comm
