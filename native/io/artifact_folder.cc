// Recognizing, removing and sweeping.
#include "io/artifact_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/json.h"
#include "base/sentence.h"
#include "io/folder.h"

namespace athanor::io {
namespace {

constexpr std::string_view kDraft = ".athanor-";

bool all_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

// The first bytes of a regular file; nothing of any other.
std::optional<std::string> beginning_of(int folder, const std::string& name) {
  const Descriptor file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (!file || ::fstat(*file, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::string bytes(256, '\0');
  const ssize_t count = ::pread(*file, bytes.data(), bytes.size(), 0);
  if (count < 0) return std::nullopt;
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

bool is_gone(int folder, const std::string& name) {
  return ::faccessat(folder, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

// { "format": "athanor…", with any white space
bool is_graph(std::string_view text) {
  for (const std::string_view token : {"{", "\"format\"", ":", "\"athanor"}) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!text.starts_with(token)) return false;
    text.remove_prefix(token.size());
  }
  return true;
}

// Eight bytes of length, then the header as this engine writes it. An empty file holds nothing that could be lost.
bool is_weights(std::string_view bytes) {
  return bytes.empty() ||
         (bytes.size() > 8 && bytes.substr(8).starts_with("{\"__metadata__\":{\"format\":\"athanor\""));
}

}  // namespace

bool is_json_name(const std::string& name) { return name == "graph.json" || name == "state.json"; }

bool is_weights_name(const std::string& name) {
  constexpr std::string_view kStem = "weights", kEnd = ".safetensors";
  if (!name.starts_with(kStem) || !name.ends_with(kEnd) || name.size() < kStem.size() + kEnd.size()) return false;
  const std::string_view hash = std::string_view(name).substr(kStem.size(), name.size() - kStem.size() - kEnd.size());
  return hash.empty() || (hash.size() == 17 && hash[0] == '-' && all_of(hash.substr(1), "0123456789abcdef"));
}

bool is_draft_name(const std::string& name) {
  return name.starts_with(kDraft) && name.size() == kDraft.size() + 8 + 1 + 12 && name[kDraft.size() + 8] == '-' &&
         all_of(std::string_view(name).substr(kDraft.size(), 8), "0123456789abcdef") &&
         all_of(std::string_view(name).substr(kDraft.size() + 9), "abcdefghijklmnopqrstuvwxyz");
}

Recognized recognize(int folder) {
  using Kind = Recognized::Kind;
  const auto names = names_in(folder);
  if (!names) return {Kind::other, "cannot be listed"};
  if (names->empty()) return {Kind::empty, ""};
  bool graph = false, named = false;
  for (const std::string& name : *names) {
    if (!is_json_name(name) && !is_weights_name(name) && !is_draft_name(name))
      return {Kind::other, "holds " + quoted(name)};
    const auto bytes = beginning_of(folder, name);
    if (!bytes && is_gone(folder, name)) continue;  // another saver has renamed or removed it since it was listed
    const bool known = bytes && (is_draft_name(name) || (is_json_name(name) ? is_graph(*bytes) : is_weights(*bytes)));
    if (!known) return {Kind::other, "holds a " + quoted(name) + " that is not an artifact's"};
    graph = graph || is_json_name(name);
    named = named || name == "weights.safetensors";
  }
  // Weights named by their hash are also what a writer leaves that was killed before it wrote the first graph.
  if (named && !graph) return {Kind::other, "holds no graph.json"};
  return {Kind::artifact, ""};
}

std::vector<std::byte> read_graph(const FileAt& at, std::uint64_t most, const std::string& operation) {
  const auto refuse = [&](const std::string& why) {
    throw Error(Code::io, operation + ": " + quoted(at.shown) + ": " + why);
  };
  const Descriptor file(::openat(at.folder, at.name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file && errno == ENOENT) refuse("there is no such file; is it the folder that artifact.save wrote?");
  struct stat status{};
  if (!file || ::fstat(*file, &status) != 0) refuse("it could not be read: " + std::generic_category().message(errno));
  if (!S_ISREG(status.st_mode)) refuse("it could not be read: it is not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  check(size <= most, Code::corrupt, [&] {
    return operation + ": " + quoted(at.shown) + " is damaged: " + grouped(size) + " bytes are too many for a graph";
  });
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pread(*file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse("it could not be read: " + std::generic_category().message(errno));
    if (count == 0) bytes.resize(done);
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

Sealed read_sealed(const FileAt& at, std::uint64_t most, const std::string& operation) {
  const auto damaged = [&](const std::string& what) {
    throw Error(Code::corrupt, operation + ": " + quoted(at.shown) + " is damaged: " + what);
  };
  const std::vector<std::byte> bytes = read_graph(at, most, operation);
  Sealed sealed;
  sealed.json.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  constexpr std::string_view kTail = ",\"checksum\":\"0123456789abcdef\"}\n";
  const std::size_t body = sealed.json.size() - std::min(kTail.size(), sealed.json.size());
  XxHash64 hash;
  hash.update(std::span(bytes).first(body));
  if (sealed.json.substr(body) != ",\"checksum\":\"" + hexadecimal(hash.digest()) + "\"}\n")
    damaged("its checksum is not the one of its content");
  const Json json = parse_json(sealed.json);
  const Json* files = json.find("files");
  const auto* listed = files == nullptr ? nullptr : files->object();
  if (listed == nullptr || listed->size() != 1) damaged("it does not name its weights file");
  const auto& [name, print] = *listed->begin();
  const Json *size = print.find("bytes"), *digest = print.find("xxh64");
  if (!is_weights_name(name) || size == nullptr || !size->integer() || digest == nullptr || !digest->string())
    damaged("it does not name its weights file with bytes and xxh64");
  sealed.weights_name = name;
  sealed.weights = {static_cast<std::uint64_t>(*size->integer()),
                    std::strtoull(digest->string()->c_str(), nullptr, 16)};
  return sealed;
}

void remove_artifact(int parent, const std::string& name) {
  if (const Descriptor folder = open_folder(parent, name)) {
    for (const std::string& file : names_in(*folder).value_or(std::vector<std::string>{})) {
      if (is_json_name(file) || is_weights_name(file) || is_draft_name(file)) ::unlinkat(*folder, file.c_str(), 0);
    }
  }
  ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

void sweep_drafts(int parent) {
  const bool local = is_local(parent);
  const std::string own = std::string(kDraft) + machine_token();
  for (const std::string& name : names_in(parent).value_or(std::vector<std::string>{})) {
    if (!is_draft_name(name) || !(local || name.starts_with(own))) continue;
    const Descriptor draft = open_folder(parent, name);
    // Whoever holds the lock and still has the name owns it: a writer that lives would hold the lock.
    if (draft && lock(*draft) == Locked::yes && same_folder(*draft, parent, name)) remove_artifact(parent, name);
  }
}

}  // namespace athanor::io
