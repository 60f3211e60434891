// Writing an artifact; artifact_folder.h tells the way.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/error.h"
#include "base/sentence.h"
#include "io/artifact_folder.h"
#include "io/folder.h"

namespace athanor::io {
namespace {

std::string draft_name() { return ".athanor-" + machine_token() + "-" + random_letters(); }

bool cannot_exchange(int error) {
  // EXDEV: a folder in a lower layer of an overlay; EBUSY: a mount point.
  return error == EINVAL || error == ENOSYS || error == ENOTSUP || error == EXDEV || error == EBUSY;
}

Fingerprint write_weights(int folder, const std::string& name, const Artifact& artifact, const std::string& operation) {
  NewFile file(folder, name);
  write_safetensors(file, artifact.tensors, {{"format", "athanor"}}, operation);
  return file.finish();
}

void write_graph(int folder, const std::string& name, const Artifact& artifact, const std::string& weights,
                 const Fingerprint& print) {
  std::string text = artifact.graph.substr(0, artifact.graph.rfind('}'));
  text += ",\"files\":{\"" + weights + "\":{\"bytes\":" + std::to_string(print.bytes) + ",\"xxh64\":\"" +
          hexadecimal(print.hash) + "\"}}";
  XxHash64 hash;
  hash.update(std::as_bytes(std::span(text)));
  text += ",\"checksum\":\"" + hexadecimal(hash.digest()) + "\"}\n";
  NewFile file(folder, name);
  file.write(std::as_bytes(std::span(text)));
  file.finish();
}

// Folders that lead to the place and are not there yet; those made go again unless they are kept.
class Parents {
 public:
  explicit Parents(const std::string& path) {
    std::size_t end = 0;
    do {
      end = path.find('/', end + 1);
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), 0777) == 0) {
        made_.push_back(part);
        const Descriptor above(::open((part + "/..").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (above) sync_folder(*above);
        continue;
      }
      struct stat status{};  // mkdir may answer EROFS or EACCES for what is there
      const int error = errno;
      if (error != EEXIST && ::stat(part.c_str(), &status) != 0) undo(), throw Refusal{"make its folder", error};
    } while (end != std::string::npos);
  }
  ~Parents() { undo(); }
  Parents(const Parents&) = delete;
  Parents& operator=(const Parents&) = delete;
  void keep() { made_.clear(); }

 private:
  void undo() {
    for (; !made_.empty(); made_.pop_back()) ::rmdir(made_.back().c_str());
  }
  std::vector<std::string> made_;
};

// A folder beside the place, locked while this lives. Whatever has its name in the end goes with it.
class Draft {
 public:
  explicit Draft(int parent) : parent_(parent) {
    for (int tries = 100; tries > 0; --tries) {
      name_ = draft_name();
      if (::mkdirat(parent, name_.c_str(), 0777) != 0) {
        if (errno == EEXIST) continue;
        throw Refusal{"make a folder beside it", errno};
      }
      folder_ = open_folder(parent, name_);
      if (!folder_) {
        const int error = errno;
        ::unlinkat(parent, name_.c_str(), AT_REMOVEDIR);
        if (error == ENOENT) continue;  // swept before it was locked
        throw Refusal{"open a folder beside it", error};
      }
      if (lock(*folder_) == Locked::busy) continue;  // it is being swept, before it was locked
      if (same_folder(*folder_, parent, name_)) return;
    }
    throw Refusal{"make a folder beside it", EBUSY};
  }
  ~Draft() {
    if (!name_.empty()) remove_artifact(parent_, name_);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  int folder() const { return *folder_; }
  const std::string& name() const { return name_; }
  void leave() { name_.clear(); }

 private:
  int parent_;
  std::string name_;
  Descriptor folder_;
};

class Writer {
 public:
  Writer(std::string place, const Artifact& artifact, std::string operation)
      : place_(std::move(place)), operation_(std::move(operation)), artifact_(artifact) {}

  void write() {
    const std::size_t slash = place_.rfind('/');
    const std::string above = slash == 0 ? "/" : place_.substr(0, slash);
    name_ = place_.substr(slash + 1);
    Parents made(above);
    parent_ = Descriptor(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent_) throw Refusal{"open its folder", errno};
    refuse_other();
    sweep_drafts(*parent_);
    if (!write_beside()) write_inside();
    made.keep();
  }

 private:
  // Before anything is written: the place must be free, empty or an artifact.
  void refuse_other() const {
    for (int tries = 1000; tries > 0; --tries) {
      const Descriptor target = open_folder(*parent_, name_);
      if (!target && errno == ENOENT) return;
      check(target || (errno != ENOTDIR && errno != ELOOP), Code::argument, [&] {
        return operation_ + ": " + quoted(place_) +
               " is a file or a link, not a folder; save into a folder, or remove it first";
      });
      if (!target) throw Refusal{"open", errno};
      const Recognized found = recognize(*target);
      // One that another saver has just replaced loses its files while we look.
      if (same_folder(*target, *parent_, name_)) return refuse(found);
    }
  }

  void refuse(const Recognized& found) const {
    check(found.kind != Recognized::Kind::other, Code::argument, [&] {
      return operation_ + ": " + quoted(place_) + " is not an artifact: it " + found.stranger +
             ", which saving would remove; save into a folder of its own, such as " + quoted(place_ + "/model");
    });
  }

  // False where folders cannot be made beside the place or cannot be swapped.
  bool write_beside() {
    std::optional<Draft> draft;
    try {
      draft.emplace(*parent_);
    } catch (const Refusal& refusal) {
      const bool closed = refusal.error == EACCES || refusal.error == EPERM || refusal.error == EROFS;
      if (closed && open_folder(*parent_, name_)) return false;
      throw;
    }
    const Fingerprint print = write_weights(draft->folder(), "weights.safetensors", artifact_, operation_);
    write_graph(draft->folder(), artifact_.json_name, artifact_, "weights.safetensors", print);
    if (const int error = sync_folder(draft->folder())) throw Refusal{"bring its folder to the disk", error};
    return publish(*draft);
  }

  bool publish(Draft& draft) {
    for (int tries = 1000; tries > 0; --tries) {
      if (::renameat(*parent_, draft.name().c_str(), *parent_, name_.c_str()) == 0) {
        settle([&] { return ::renameat(*parent_, name_.c_str(), *parent_, draft.name().c_str()); });
        return true;
      }
      if (errno == EBUSY) return false;
      if (errno != ENOTEMPTY && errno != EEXIST) throw Refusal{"put in place", errno};
      const Descriptor target = open_folder(*parent_, name_);
      if (!target) continue;  // removed meanwhile
      lock(*target, true);    // savers of one place take turns; where there are no locks the swap alone must do
      if (!same_folder(*target, *parent_, name_)) continue;
      refuse(recognize(*target));
      struct stat status{};
      if (::fstat(*target, &status) == 0) ::fchmod(draft.folder(), status.st_mode & 07777);
      const int error = exchange(*parent_, draft.name(), name_);
      if (error == ENOENT) continue;
      if (cannot_exchange(error)) return false;
      if (error != 0) throw Refusal{"put in place", error};
      settle([&] { return exchange(*parent_, draft.name(), name_); });
      try {
        refuse(recognize(*target));  // something may have been put there at the last moment
      } catch (...) {
        if (exchange(*parent_, draft.name(), name_) != 0) draft.leave();
        throw;
      }
      remove_artifact(*parent_, draft.name());  // while the lock on it is held
      return true;
    }
    throw Refusal{"put in place", EBUSY};
  }

  // The change of names is brought to the disk, or taken back.
  template <class Undo>
  void settle(const Undo& undo) const {
    const int error = sync_folder(*parent_);
    if (error == 0) return;
    undo();
    throw Refusal{"bring its name to the disk", error};
  }

  void write_inside() {
    const Descriptor target = open_folder(*parent_, name_);
    if (!target) throw Refusal{"open", errno};
    const Locked locked = lock(*target, true);
    if (locked == Locked::busy) throw Refusal{"wait for another that saves there", EBUSY};
    refuse(recognize(*target));
    if (locked == Locked::yes) remove_if(*target, is_draft_name);  // of dead writers: those who live hold the lock
    Loose weights(*target), graph(*target);
    const Fingerprint print = write_weights(*target, weights.name, artifact_, operation_);
    const std::string final_name = "weights-" + hexadecimal(print.hash) + ".safetensors";
    write_graph(*target, graph.name, artifact_, final_name, print);
    const bool known = ::faccessat(*target, final_name.c_str(), F_OK, 0) == 0;  // the same weights once more
    weights.put(final_name);
    try {
      if (const int error = sync_folder(*target)) throw Refusal{"bring its folder to the disk", error};
      graph.put(artifact_.json_name);
    } catch (const Refusal&) {
      if (!known) ::unlinkat(*target, final_name.c_str(), 0);
      throw;
    }
    const int error = sync_folder(*target);
    check(error == 0, Code::io, [&] {
      return operation_ + ": " + quoted(place_) +
             " is written, but was perhaps not brought to the disk: " + std::generic_category().message(error) +
             "; save again to be sure";
    });
    remove_if(*target, [&](const std::string& name) { return is_weights_name(name) && name != final_name; });
  }

  template <class Condition>
  static void remove_if(int folder, const Condition& condition) {
    for (const std::string& name : names_in(folder).value_or(std::vector<std::string>{}))
      if (condition(name)) ::unlinkat(folder, name.c_str(), 0);
  }

  // A file of a folder under a draft's name, until it is put in place.
  struct Loose {
    explicit Loose(int of) : folder(of), name(draft_name()) {}
    ~Loose() {
      if (!name.empty()) ::unlinkat(folder, name.c_str(), 0);
    }
    Loose(const Loose&) = delete;
    Loose& operator=(const Loose&) = delete;
    void put(const std::string& final_name) {
      if (::renameat(folder, name.c_str(), folder, final_name.c_str()) != 0) throw Refusal{"put in place", errno};
      name.clear();
    }
    int folder;
    std::string name;
  };

  std::string place_, name_, operation_;
  const Artifact& artifact_;
  Descriptor parent_;
};

}  // namespace

void write_artifact(const std::string& place, const Artifact& artifact, const std::string& operation) {
  try {
    Writer(place, artifact, operation).write();
  } catch (const Refusal& refusal) {
    throw Error(Code::io, operation + ": " + quoted(place) + " could not be written: cannot " + refusal.doing + " (" +
                              std::generic_category().message(refusal.error) + "); nothing was changed");
  }
}

}  // namespace athanor::io
