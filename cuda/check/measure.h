// Measurements of the check on a real GPU: each a row of its own, so that a kernel that fails costs its row alone.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "cuda/test/plugin.h"

namespace athanor::check {

struct Row {
  double value = 0;
  const char* unit = "";
  std::string beside;  // what it is compared with in the same run
};

struct Measure {
  std::string name;
  std::function<Row()> run;
};
const std::vector<Measure>& measures();
void add_compressed(std::vector<Measure>& to);  // measure_compressed.cc
void add_sparse(std::vector<Measure>& to);      // measure_sparse.cc

// Whether the device is the emulator: then sizes are small, and times mean nothing but that the script runs.
bool is_dry();
Index sized(Index on_device, Index dry);

// The median of several runs, in seconds, after a warm-up.
double seconds(const std::function<void()>& work);

// Bytes a second of a copy of 1 GiB within the device, both directions counted.
double copy_bandwidth();
Row against_copy(double bytes, double time);

// Work on the tests' stream; throws with the device's sentence.
template <class Args>
void run(const device::Launcher<Args>& launcher, const Args& args, void* workspace) {
  test::require(launcher.run(test::stream(), args, workspace));
}

}  // namespace athanor::check
