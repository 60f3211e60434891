// A file that is there wholly or not at all: written beside its destination under another name, brought to the disk, then
// renamed over it. Whatever fails before commit() returns, disk full included, leaves the destination as it was and no
// temporary file behind; only a crash of the machine or of the process can leave one (".<name>.<random>.tmp").
#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace athanor::io {

class AtomicFile {
 public:
  // `operation` opens every sentence: "artifact.save". Throws Error(Code::io, …), here and below.
  AtomicFile(std::string path, std::string operation);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);

  // Everything is on the disk under its name when this returns.
  void commit();

 private:
  [[noreturn]] void fail(const char* doing, int error);

  std::string path_, operation_, temporary_, folder_;
  int file_ = -1;
};

}  // namespace athanor::io
