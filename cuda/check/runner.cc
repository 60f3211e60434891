// The program of the check on a real GPU: it has the kernels, their tests and the measurements, and needs nothing but a driver.
//   --device          what the device is
//   --cases           names of the parity rows, one a line       --case NAME      runs one
//   --measures        names of the measurements                   --measure NAME   runs one and prints value, unit and comparison
#include <cstdio>
#include <cstring>

#include "cuda/check/measure.h"

namespace {

int describe() {
  const athanor::device::Plugin& table = athanor::test::plugin();
  int count = 0;
  if (table.device_count(&count) != athanor::device::Result::ok || count == 0) {
    std::printf("no device: %s\n", table.last_error());
    return 1;
  }
  athanor::device::DeviceInfo info;
  if (table.device_info(0, &info) != athanor::device::Result::ok) {
    std::printf("no device: %s\n", table.last_error());
    return 1;
  }
  std::printf("%s, %s, %d multiprocessors, %.1f GB\n", info.name, info.detail, info.multiprocessors,
              static_cast<double>(info.total_bytes) / 1e9);
  return 0;
}

int measure(const char* name) {
  for (const athanor::check::Measure& item : athanor::check::measures()) {
    if (item.name != name) continue;
    try {
      const athanor::check::Row row = item.run();
      std::printf("%.4g\t%s\t%s\n", row.value, row.unit, row.beside.c_str());
      return 0;
    } catch (const std::exception& error) {
      std::printf("failed\t\t%s\n", error.what());
      return 1;
    }
  }
  std::printf("failed\t\tthere is no such measurement\n");
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  const auto is = [&](const char* flag) { return count > 1 && std::strcmp(arguments[1], flag) == 0; };
  if (is("--device")) return describe();
  if (is("--cases")) {
    for (const auto& item : athanor::test::cases()) std::printf("%s\n", item.name);
    return 0;
  }
  if (is("--measures")) {
    for (const auto& item : athanor::check::measures()) std::printf("%s\n", item.name.c_str());
    return 0;
  }
  if (count == 3 && is("--measure")) return measure(arguments[2]);
  if (count == 3 && is("--case")) return athanor::test::run(2, arguments + 1);
  std::printf("usage: --device | --cases | --case NAME | --measures | --measure NAME\n");
  return 2;
}
