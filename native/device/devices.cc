#include "device/devices.h"

#include <map>
#include <mutex>

#include "base/sentence.h"
#include "device/loader.h"

namespace athanor::device {
namespace {

constexpr const char* kKinds[] = {"cuda", "cuda-emulated"};

struct Asked {
  std::string kind;
  int index = 0;
};

// "cuda", "cuda:0" and "cuda:00" are one device, "cuda-emulated" another.
Asked parse(const std::string& name) {
  const std::size_t colon = name.find(':');
  const Asked asked{name.substr(0, colon), 0};
  const std::string number = colon == std::string::npos ? "0" : name.substr(colon + 1);
  const bool digits =
      !number.empty() && number.size() <= 4 && number.find_first_not_of("0123456789") == std::string::npos;
  check((asked.kind == kKinds[0] || asked.kind == kKinds[1]) && digits, Code::argument, [&] {
    return "device: expected \"cpu\", \"cuda\", \"cuda:<number>\" or \"cuda-emulated\", got " + quoted(name);
  });
  return {asked.kind, std::stoi(number)};
}

std::string name_of(const Asked& asked) {
  return asked.kind == kKinds[1] && asked.index == 0 ? asked.kind : asked.kind + ":" + std::to_string(asked.index);
}

// Devices stay open: memory that outlives its program asks them to free it.
std::mutex devices_mutex;

std::map<std::string, std::shared_ptr<PluginDevice>>& devices() {
  static auto* table = new std::map<std::string, std::shared_ptr<PluginDevice>>();
  return *table;
}

struct Counted {
  int count = 0;
  std::string why;
};

Counted count_devices(const std::string& kind, const Opened& opened) {
  if (opened.plugin == nullptr) return {0, opened.why};
  int count = 0;
  const Result result = opened.plugin->device_count(&count);
  if (result != Result::ok) return {0, kind + ": " + opened.plugin->last_error()};
  if (count == 0)
    return {0, kind + ": the driver is there, but no device; look at nvidia-smi and CUDA_VISIBLE_DEVICES"};
  return {count, ""};
}

}  // namespace

std::vector<Listed> list_devices() {
  std::vector<Listed> list;
  for (const std::string kind : kKinds) {
    const Opened opened = open_plugin(kind);
    const Counted found = count_devices(kind, opened);
    if (found.count == 0) {
      list.push_back({name_of({kind, 0}), false, "", found.why, 0, 0, 0});
      continue;
    }
    for (int index = 0; index < found.count; ++index) {
      Listed entry;
      entry.name = name_of({kind, index});
      DeviceInfo info;
      if (opened.plugin->device_info(index, &info) == Result::ok) {
        entry.available = true;
        entry.detail = std::string(info.name) + (*info.detail != '\0' ? ", " : "") + info.detail;
        entry.total_bytes = info.total_bytes;
        entry.free_bytes = info.free_bytes;
      } else {
        entry.why = entry.name + ": " + opened.plugin->last_error();
      }
      const std::lock_guard lock(devices_mutex);
      if (const auto open = devices().find(entry.name); open != devices().end()) {
        entry.allocated_bytes = open->second->allocated();
      }
      list.push_back(std::move(entry));
    }
  }
  return list;
}

std::shared_ptr<PluginDevice> find_device(const std::string& name) {
  if (name.empty() || name == "cpu") return nullptr;
  const Asked asked = parse(name);
  const std::string known = name_of(asked);
  const std::lock_guard lock(devices_mutex);
  if (const auto open = devices().find(known); open != devices().end()) return open->second;
  const Opened opened = open_plugin(asked.kind);
  const Counted found = count_devices(asked.kind, opened);
  check(found.count > 0, Code::device, [&] { return found.why + "; or run on device \"cpu\""; });
  check(asked.index < found.count, Code::device, [&] {
    return "device " + known + ": this machine has " + std::to_string(found.count) + " device" +
           (found.count == 1 ? "" : "s") + " of this kind, numbered from 0";
  });
  auto device = std::make_shared<PluginDevice>(*opened.plugin, asked.index, known);
  devices().emplace(known, device);
  return device;
}

}  // namespace athanor::device
