#include "comm/launcher.h"

#include <cstdlib>

namespace athanor::comm {
namespace {

int number_of(const char* name, int missing) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == 0) return missing;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return *end == 0 && value >= 0 && value < (1 << 24) ? static_cast<int>(value) : missing;
}

}  // namespace

// A shell inside an allocation of SLURM has SLURM_NTASKS too, but only srun sets SLURM_STEP_NUM_TASKS and the key of its PMI.
Launcher launcher() {
  using Kind = Launcher::Kind;
  if (const int size = number_of("OMPI_COMM_WORLD_SIZE", 0); size > 0)
    return {Kind::openmpi, number_of("OMPI_COMM_WORLD_RANK", 0), size, "mpirun of Open MPI"};
  if (const int size = number_of("PMI_SIZE", 0); size > 0)
    return {Kind::hydra, number_of("PMI_RANK", 0), size, "mpirun of MPICH"};
  const int size = number_of("SLURM_STEP_NUM_TASKS", 0);
  const bool has_interface = std::getenv("PMIX_RANK") != nullptr || std::getenv("PMI_FD") != nullptr ||
                             std::getenv("SLURM_PMI_FD") != nullptr || std::getenv("PMI_RANK") != nullptr;
  if (size > 0 && (size > 1 || has_interface)) return {Kind::slurm, number_of("SLURM_PROCID", 0), size, "srun"};
  return {};
}

}  // namespace athanor::comm
