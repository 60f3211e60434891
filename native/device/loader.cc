#include "device/loader.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "base/sentence.h"

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace athanor::device {
namespace {

std::string build_command(const std::string& kind) {
  return kind == "cuda" ? "npm run build:cuda (it needs nvcc of the CUDA toolkit, and cmake)"
                        : "npm run build:cuda-emulated (it needs g++ alone)";
}

std::mutex plugin_mutex;

std::string& plugin_folder() {
  static std::string folder;
  return folder;
}

std::string file_of(const std::string& kind) { return kind == "cuda" ? "athanor_cuda.so" : "athanor_cuda_emulated.so"; }

#if defined(_WIN32)

Opened try_open(const std::string& kind) {
  return {nullptr, "", kind + ": device plugins are not built for Windows yet; use the CPU"};
}

#else

// The folder of the addon or program that this code was linked into.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return ".";
  return std::filesystem::absolute(info.dli_fname).parent_path();
}

std::vector<std::filesystem::path> places_of(const std::string& kind) {
  const std::filesystem::path here = own_folder(), file = file_of(kind);
  std::vector<std::filesystem::path> places{here / file, (here / ".." / "cuda" / file).lexically_normal()};
  if (!plugin_folder().empty()) places.insert(places.begin(), std::filesystem::path(plugin_folder()) / file);
  return places;
}

// What is wrong with an opened plugin; empty where nothing is.
std::string fault_of(const Plugin* plugin, const std::string& kind, const std::string& path) {
  if (plugin == nullptr) return athanor::quoted(path) + " is not a device plugin of Athanor";
  if (plugin->version != kPluginVersion || plugin->bytes != sizeof(Plugin)) {
    return athanor::quoted(path) + " is of another build (its table has version " + std::to_string(plugin->version) +
           ", the engine's has " + std::to_string(kPluginVersion) + "); build it again: " + build_command(kind);
  }
  const Launchers& launch = plugin->launch;
  if (launch.begin.run == nullptr || launch.advance.run == nullptr || launch.turn_copy.run == nullptr ||
      launch.record.run == nullptr || launch.batch_gather.run == nullptr) {
    return athanor::quoted(path) + " lacks kernels that every run needs; build it again: " + build_command(kind);
  }
  if (plugin->name != kind) return athanor::quoted(path) + " is the plugin of " + plugin->name;
  return "";
}

Opened open_file(const std::string& kind, const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return {nullptr, path,
            kind + ": the plugin cannot be opened: " + (reason != nullptr ? reason : athanor::quoted(path))};
  }
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(library, kPluginEntry));
  const Plugin* plugin = entry != nullptr ? entry() : nullptr;
  const std::string fault = fault_of(plugin, kind, path);
  if (fault.empty()) return {plugin, path, ""};
  dlclose(library);
  return {nullptr, path, kind + ": " + fault};
}

Opened try_open(const std::string& kind) {
  std::string why;
  if (const char* named = std::getenv("ATHANOR_CUDA_PLUGIN"); named != nullptr && *named != '\0') {
    Opened opened = open_file(kind, named);
    if (opened.plugin != nullptr) return opened;
    why = opened.why + " (ATHANOR_CUDA_PLUGIN)";
  }
  for (const auto& place : places_of(kind)) {
    std::error_code ignored;
    if (std::filesystem::exists(place, ignored)) return open_file(kind, place.string());
  }
  if (!why.empty()) return {nullptr, "", why};
  return {nullptr, "",
          kind + ": the plugin is not built: there is no " + athanor::quoted(places_of(kind)[0].string()) +
              "; build it with " + build_command(kind) + ", or name the file in ATHANOR_CUDA_PLUGIN"};
}

#endif

}  // namespace

void set_plugin_folder(const std::string& folder) {
  const std::lock_guard lock(plugin_mutex);
  plugin_folder() = folder;
}

Opened open_plugin(const std::string& kind) {
  static std::map<std::string, Opened> opened;
  const std::lock_guard lock(plugin_mutex);
  if (const auto found = opened.find(kind); found != opened.end()) return found->second;
  const Opened fresh = try_open(kind);
  if (fresh.plugin != nullptr) opened.emplace(kind, fresh);
  return fresh;
}

}  // namespace athanor::device
