// The system's calls for files and folders that artifacts are made of. All of them work on open folders, so that what was looked
// at is what is changed, whatever becomes of the paths that led there.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/xxhash64.h"

namespace athanor::io {

// An open file or folder; -1 for none.
class Descriptor {
 public:
  explicit Descriptor(int of = -1) : of_(of) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : of_(std::exchange(other.of_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(of_, other.of_);
    return *this;
  }
  int operator*() const { return of_; }
  explicit operator bool() const { return of_ >= 0; }

 private:
  int of_;
};

// What the system refused: `doing` continues "cannot …".
struct Refusal {
  const char* doing;
  int error;  // an errno
};

// Takes bytes in order.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;
};

// A new file of a folder; an error if there is one of that name. Throws Refusal.
class NewFile final : public Sink {
 public:
  NewFile(int folder, const std::string& name);
  void write(std::span<const std::byte> bytes) override;
  // The file is on the disk when this returns; what was written.
  Fingerprint finish();
  int descriptor() const { return *file_; }

 private:
  Descriptor file_;
  XxHash64 hash_;
  std::uint64_t bytes_ = 0;
};

// An invalid descriptor, with errno, where there is no such folder or it is a link.
Descriptor open_folder(int parent, const std::string& name);
std::optional<std::vector<std::string>> names_in(int folder);  // nothing where it cannot be listed
bool same_folder(int folder, int parent, const std::string& name);

// Swaps two names of a folder at once. 0, or an errno: EINVAL or ENOSYS where the file system or the system cannot.
int exchange(int parent, const std::string& one, const std::string& other);

// Brings names to the disk; an errno, 0 also where the file system has nothing of the kind.
int sync_folder(int folder);

// Locks an open file or folder until it is closed, by whatever way the process ends. `unsupported` where there are no such locks.
// With `patience`, waits some seconds for another to let go.
enum class Locked { yes, busy, unsupported };
Locked lock(int of, bool patience = false);

// Whether locks of other machines would be seen: true for file systems that are known to be of this machine alone.
bool is_local(int folder);

// Eight hexadecimal digits that name this machine since it was started.
const std::string& machine_token();

// Twelve letters that nobody else has.
std::string random_letters();

}  // namespace athanor::io
