#include "io/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <random>

#if defined(__linux__)
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

namespace athanor::io {
namespace {

constexpr std::size_t kLargestWrite = std::size_t{1} << 30;  // Linux takes at most 2 GiB - 4 KiB at a time
constexpr std::size_t kHashedAtOnce = std::size_t{1} << 18;  // stays in the cache between the hash and the write

}  // namespace

Descriptor::~Descriptor() {
  if (of_ >= 0) ::close(of_);
}

NewFile::NewFile(int folder, const std::string& name) {
  int file = -1;
  do file = ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  while (file < 0 && errno == EINTR);
  if (file < 0) throw Refusal{"create a file", errno};
  file_ = Descriptor(file);
}

void NewFile::write(std::span<const std::byte> bytes) {
  static_assert(kHashedAtOnce <= kLargestWrite);
  while (!bytes.empty()) {
    const ssize_t count = ::write(*file_, bytes.data(), std::min(bytes.size(), kHashedAtOnce));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Refusal{"write", errno};
    if (count == 0) throw Refusal{"write", ENOSPC};
    hash_.update(bytes.first(static_cast<std::size_t>(count)));
    bytes_ += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

Fingerprint NewFile::finish() {
  int status = 0;
  do status = ::fsync(*file_);
  while (status != 0 && errno == EINTR);
  if (status != 0) throw Refusal{"bring a file to the disk", errno};
  return {bytes_, hash_.digest()};
}

Descriptor open_folder(int parent, const std::string& name) {
  int folder = -1;
  do folder = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  while (folder < 0 && errno == EINTR);
  return Descriptor(folder);
}

std::optional<std::vector<std::string>> names_in(int folder) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);  // a place in the list of its own
  if (again < 0) return std::nullopt;
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(again), ::closedir);
  if (!list) {
    ::close(again);
    return std::nullopt;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return std::nullopt;
  std::sort(names.begin(), names.end());
  return names;
}

bool same_folder(int folder, int parent, const std::string& name) {
  struct stat open{}, named{};
  return ::fstat(folder, &open) == 0 && ::fstatat(parent, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

int exchange(int parent, const std::string& one, const std::string& other) {
#if defined(__linux__) && defined(SYS_renameat2)
  constexpr unsigned kExchange = 2;  // RENAME_EXCHANGE; older C libraries have neither the name nor the function
  return ::syscall(SYS_renameat2, parent, one.c_str(), parent, other.c_str(), kExchange) == 0 ? 0 : errno;
#elif defined(__APPLE__)
  return ::renameatx_np(parent, one.c_str(), parent, other.c_str(), RENAME_SWAP) == 0 ? 0 : errno;
#else
  (void)parent, (void)one, (void)other;
  return ENOSYS;
#endif
}

int sync_folder(int folder) {
  int status = 0;
  do status = ::fsync(folder);
  while (status != 0 && errno == EINTR);
  return status == 0 || errno == EINVAL || errno == ENOTSUP || errno == EBADF ? 0 : errno;
}

Locked lock(int of, bool patience) {
  for (int tries = patience ? 2000 : 1; tries > 0; --tries) {
    if (::flock(of, LOCK_EX | LOCK_NB) == 0) return Locked::yes;
    if (errno != EWOULDBLOCK && errno != EINTR) return Locked::unsupported;
    if (tries > 1) ::usleep(2000);
  }
  return Locked::busy;
}

bool is_local(int folder) {
  struct statfs status{};
  if (::fstatfs(folder, &status) != 0) return false;
#if defined(__linux__)
  constexpr unsigned long kXfs = 0x58465342, kZfs = 0x2FC12FC1, kBcachefs = 0xCA451A4E;
  constexpr unsigned long kLocal[] = {EXT4_SUPER_MAGIC,
                                      TMPFS_MAGIC,
                                      OVERLAYFS_SUPER_MAGIC,
                                      BTRFS_SUPER_MAGIC,
                                      F2FS_SUPER_MAGIC,
                                      RAMFS_MAGIC,
                                      kXfs,
                                      kZfs,
                                      kBcachefs};
  return std::find(std::begin(kLocal), std::end(kLocal), static_cast<unsigned long>(status.f_type)) != std::end(kLocal);
#else
  return (status.f_flags & MNT_LOCAL) != 0;
#endif
}

const std::string& machine_token() {
  static const std::string token = [] {
    char id[64] = "";
    if (std::FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "re")) {
      if (std::fgets(id, sizeof id, file) == nullptr) id[0] = '\0';
      std::fclose(file);
    }
    if (id[0] == '\0') ::gethostname(id, sizeof id - 1);
    XxHash64 hash;
    hash.update(std::as_bytes(std::span(id)));
    return hexadecimal(hash.digest()).substr(0, 8);
  }();
  return token;
}

std::string random_letters() {
  std::random_device device;
  std::string letters;
  for (int i = 0; i < 12; ++i) letters += static_cast<char>('a' + device() % 26);
  return letters;
}

}  // namespace athanor::io
