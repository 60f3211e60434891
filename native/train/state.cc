#include "train/state.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <system_error>

#include "base/error.h"
#include "base/sentence.h"
#include "io/artifact_folder.h"
#include "io/folder.h"
#include "runtime/stream_copy.h"

namespace athanor {
namespace {

using Arenas = std::vector<std::shared_ptr<Arena>>;

// Each arena once, in the order in which every holder of several locks takes them.
Arenas arenas_of(std::span<const std::shared_ptr<Variable>> variables) {
  Arenas arenas;
  for (const auto& variable : variables) arenas.push_back(variable->arena());
  std::sort(arenas.begin(), arenas.end(), [](const auto& a, const auto& b) { return a.get() < b.get(); });
  arenas.erase(std::unique(arenas.begin(), arenas.end()), arenas.end());
  return arenas;
}

std::vector<std::shared_ptr<Variable>> variables_of(std::span<const NamedVariable> entries) {
  std::vector<std::shared_ptr<Variable>> variables;
  for (const NamedVariable& entry : entries) variables.push_back(entry.variable);
  return variables;
}

struct Piece {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes;
};

constexpr Index kPieceBytes = Index{1} << 20;
constexpr std::size_t kMostCached = std::size_t{8} << 20;  // what is copied may stay in caches

}  // namespace

std::vector<std::shared_ptr<Variable>> make_copies(std::span<const std::shared_ptr<Variable>> like) {
  constexpr Index kAlignment = 64;
  std::vector<Index> offsets;
  Index bytes = 0;
  for (const auto& each : like) {
    offsets.push_back(bytes);
    bytes += (each->type().bytes() + kAlignment - 1) / kAlignment * kAlignment;
  }
  const auto arena = std::make_shared<Arena>(bytes);
  std::vector<std::shared_ptr<Variable>> copies;
  for (std::size_t i = 0; i < like.size(); ++i) {
    copies.push_back(std::make_shared<Variable>("", like[i]->type()));
    copies.back()->move_to(arena, offsets[i]);  // writes to every page, which the system gives at the first write
  }
  return copies;
}

void copy_variables(std::span<const std::shared_ptr<Variable>> from, std::span<const std::shared_ptr<Variable>> to,
                    Parallel& parallel) {
  check(from.size() == to.size(), Code::shape, [&] {
    return "copy: " + std::to_string(from.size()) + " variables do not fit into " + std::to_string(to.size());
  });
  std::vector<std::shared_ptr<Variable>> all(from.begin(), from.end());
  all.insert(all.end(), to.begin(), to.end());
  const std::set<const Arena*> written = [&] {
    std::set<const Arena*> arenas;
    for (const auto& variable : to) arenas.insert(variable->arena().get());
    return arenas;
  }();
  std::vector<std::shared_lock<std::shared_mutex>> read_locks;
  std::vector<std::unique_lock<std::shared_mutex>> write_locks;
  const Arenas arenas = arenas_of(all);
  for (const auto& arena : arenas) {
    if (written.contains(arena.get()))
      write_locks.emplace_back(arena->mutex);
    else
      read_locks.emplace_back(arena->mutex);
  }
  std::vector<Piece> pieces;
  std::size_t total = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    check(from[i]->type() == to[i]->type(), Code::shape,
          [&] { return "copy: " + to_string(from[i]->type()) + " does not fit into " + to_string(to[i]->type()); });
    total += static_cast<std::size_t>(from[i]->type().bytes());
    for (Index at = 0, bytes = from[i]->type().bytes(); at < bytes; at += kPieceBytes) {
      pieces.push_back(
          {to[i]->data() + at, from[i]->data() + at, static_cast<std::size_t>(std::min(kPieceBytes, bytes - at))});
    }
  }
  parallel.run(static_cast<int>(pieces.size()), [&](int task, int) {
    const Piece& piece = pieces[static_cast<std::size_t>(task)];
    if (total > kMostCached)
      stream_copy(piece.to, piece.from, piece.bytes);
    else
      std::memcpy(piece.to, piece.from, piece.bytes);
  });
  for (const auto& variable : to) variable->touch();
}

namespace {

constexpr std::uint64_t kMostJson = std::uint64_t{1} << 30;

struct Place {
  std::string above, name;
};

Place split(const std::string& place) {
  const std::size_t slash = place.rfind('/');
  return {slash == 0 ? "/" : place.substr(0, slash), place.substr(slash + 1)};
}

[[noreturn]] void refuse_damaged(const std::string& place, const std::string& what, const std::string& operation) {
  throw Error(Code::corrupt, operation + ": " + quoted(place) + " is damaged: " + what);
}

io::Descriptor open_at(const std::string& path, const std::string& operation) {
  io::Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder && errno == ENOTDIR) refuse_damaged(path, "it is not a folder", operation);
  check(bool(folder), Code::io, [&] {
    return operation + ": " + quoted(path) + " cannot be opened: " + std::generic_category().message(errno);
  });
  return folder;
}

// A file of a checkpoint that is missing, or is not a file, is damage like any other: the checkpoint before it counts.
void require_file(int folder, const std::string& name, const std::string& place, const std::string& operation) {
  struct stat status{};
  const bool found = ::fstatat(folder, name.c_str(), &status, 0) == 0;
  if (!found && errno != ENOENT) return;  // said by who reads it
  if (!found) refuse_damaged(place, "it has no " + name, operation);
  if (!S_ISREG(status.st_mode)) refuse_damaged(place, name + " in it is not a file", operation);
}

// The open weights file of a checkpoint whose JSON is sound.
struct Opened {
  io::Descriptor folder;
  io::Sealed sealed;
  io::SafetensorsReader reader;
};

Opened open_state(const std::string& place, const std::string& operation) {
  io::Descriptor folder = open_at(place, operation);
  require_file(*folder, "state.json", place, operation);
  io::Sealed sealed = io::read_sealed({*folder, "state.json", place + "/state.json"}, kMostJson, operation);
  require_file(*folder, sealed.weights_name, place, operation);
  auto reader = io::SafetensorsReader::open({*folder, sealed.weights_name, place + "/" + sealed.weights_name},
                                            operation, sealed.weights);
  return {std::move(folder), std::move(sealed), std::move(reader)};
}

}  // namespace

void write_state(const std::string& place, const std::string& json, std::span<const NamedVariable> entries,
                 const std::string& operation) {
  const Arenas arenas = arenas_of(variables_of(entries));
  std::vector<std::shared_lock<std::shared_mutex>> locks;
  for (const auto& arena : arenas) locks.emplace_back(arena->mutex);
  io::Artifact artifact;
  artifact.graph = json;
  artifact.json_name = "state.json";
  for (const auto& [name, variable] : entries) {
    const Type& type = variable->type();
    io::TensorToWrite tensor;
    tensor.name = name;
    tensor.type = io::stored(type.dtype);
    for (const Index extent : type.shape) tensor.shape.push_back(extent);
    tensor.data = {variable->data(), static_cast<std::size_t>(type.bytes())};
    artifact.tensors.push_back(std::move(tensor));
  }
  io::write_artifact(place, artifact, operation);
}

std::string read_state(const std::string& place, const std::string& operation) {
  Opened opened = open_state(place, operation);
  opened.reader.verify();
  return std::move(opened.sealed.json);
}

void read_variables(const std::string& place, std::span<const NamedVariable> entries, const std::string& operation) {
  const Opened opened = open_state(place, operation);
  const auto& tensors = opened.reader.tensors();
  std::vector<std::size_t> found;
  const auto refuse = [&](const std::string& what) {
    throw Error(Code::shape, operation + ": the checkpoint " + quoted(place) + " " + what);
  };
  for (const auto& [name, variable] : entries) {
    const io::TensorEntry* entry = opened.reader.find(name);
    if (entry == nullptr) refuse("has no tensor " + quoted(name));
    const Type& type = variable->type();
    const bool same = entry->type == io::stored(type.dtype) &&
                      std::equal(entry->shape.begin(), entry->shape.end(), type.shape.begin(), type.shape.end());
    if (!same) refuse("holds tensor " + quoted(name) + " in another shape or element type than " + to_string(type));
    found.push_back(static_cast<std::size_t>(entry - tensors.data()));
  }
  const auto values = opened.reader.read_all();
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].variable->write(values[found[i]].get());
}

void remove_state(const std::string& place) {
  const auto [above, name] = split(place);
  const io::Descriptor parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) io::remove_artifact(*parent, name);
}

}  // namespace athanor
