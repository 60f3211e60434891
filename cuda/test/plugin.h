// Tests of kernels go through the table, as the engine does.
#pragma once
#include "cuda/test/emulated.h"
#include "device/plugin.h"

extern "C" const athanor::device::Plugin* athanor_device_plugin();

namespace athanor::test {

inline const device::Plugin& plugin() { return *athanor_device_plugin(); }

// Runs one launch of a family with the workspace that it asks for; a refusal or a fault fails the test with its sentence.
template <class Args>
bool launch(const device::Launcher<Args>& launcher, const Args& args, const char* what) {
  if (const char* why = launcher.refuses(args)) {
    report(what, 0, std::string("refused: ") + why);
    return false;
  }
  const DeviceArray<std::byte> workspace(static_cast<std::size_t>(launcher.workspace(args)));
  const device::Result result = launcher.run(nullptr, args, workspace.data());
  if (result == device::Result::ok) return true;
  report(what, 0, plugin().last_error());
  return false;
}

// |got - wanted| <= bound for all elements, NaN where a NaN is wanted and nowhere else.
inline bool agree(const std::vector<float>& got, const std::vector<double>& wanted, double relative, double absolute,
                  const std::string& what) {
  if (got.size() != wanted.size()) {
    report(what.c_str(), 0, "sizes differ");
    return false;
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = wanted[i];
    const bool same = std::isnan(w)   ? std::isnan(g)
                      : std::isinf(w) ? g == w
                                      : std::fabs(g - w) <= relative * std::fabs(w) + absolute;
    if (same) continue;
    report(what.c_str(), 0,
           "element " + std::to_string(i) + ": got " + std::to_string(g) + ", wanted " + std::to_string(w));
    return false;
  }
  return true;
}

inline std::vector<double> doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

}  // namespace athanor::test
