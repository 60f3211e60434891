#include "io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <system_error>

#include "base/error.h"
#include "base/sentence.h"

namespace athanor::io {
namespace {

constexpr std::size_t kLargestWrite = std::size_t{1} << 30;  // Linux takes at most 2 GiB - 4 KiB at a time

std::string random_letters() {
  std::random_device device;
  std::string letters;
  for (int i = 0; i < 12; ++i) letters += static_cast<char>('a' + device() % 26);
  return letters;
}

}  // namespace

AtomicFile::AtomicFile(std::string path, std::string operation)
    : path_(std::move(path)), operation_(std::move(operation)) {
  const std::size_t slash = path_.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  folder_ = slash == std::string::npos ? "." : path_.substr(0, name);
  check(name < path_.size(), Code::io,
        [&] { return operation_ + ": " + quoted(path_) + " is not the name of a file"; });
  do {
    temporary_ = path_.substr(0, name) + "." + path_.substr(name) + "." + random_letters() + ".tmp";
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file_ < 0 && (errno == EEXIST || errno == EINTR));
  if (file_ < 0) {
    temporary_.clear();
    fail("create a file in the folder of", errno);
  }
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), std::min(bytes.size(), kLargestWrite));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", errno);
    if (count == 0) fail("write", ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  int status = 0;
  do status = ::fsync(file_);
  while (status != 0 && errno == EINTR);
  if (status != 0) fail("bring to the disk", errno);
  const int file = file_;
  file_ = -1;
  if (::close(file) != 0 && errno != EINTR) fail("close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("put in place", errno);
  temporary_.clear();
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;  // a folder that may be written but not read; the rename stands
  ::fsync(folder);         // some file systems have none for folders (EINVAL): nothing more can be done there
  ::close(folder);
}

void AtomicFile::fail(const char* doing, int error) {
  throw Error(Code::io, operation_ + ": cannot " + doing + " " + quoted(path_) + ": " +
                            std::generic_category().message(error) + "; whatever was there before is unchanged");
}

}  // namespace athanor::io
