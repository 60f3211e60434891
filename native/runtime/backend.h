// Where a graph runs: the CPU, always; CUDA and its emulation through a plugin behind the same interface.
#pragma once
#include <memory>
#include <string>

#include "runtime/program.h"

namespace athanor {

class Graph;

struct Capabilities {
  std::string name;    // "cpu"
  std::string detail;  // "avx512"
  int workers = 1;
};

struct CompileOptions {
  int workers = 1;       // the most threads a run will use; workspaces are sized for it
  bool optimize = true;  // false: no pass but what is needed to run, for tests and debugging
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Capabilities capabilities() const = 0;
  // Throws Code::unsupported_op where it cannot run an operation.
  virtual std::unique_ptr<Program> lower(const Graph& graph, const CompileOptions& options) = 0;
};

}  // namespace athanor
