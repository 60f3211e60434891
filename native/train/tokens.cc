#include "train/tokens.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/sentence.h"

namespace athanor {
namespace {

// Reads all of `bytes`, or says what the system or the file refused.
void read_at(const TokenFile& file, void* to, std::size_t bytes, Index offset, const std::string& operation) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(file.descriptor, static_cast<char*>(to) + done, bytes - done,
                                static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, Code::io, [&] {
      return operation + ": " + quoted(file.shown) + " cannot be read: " + std::generic_category().message(errno);
    });
    check(got > 0, Code::corrupt, [&] {
      return operation + ": " + quoted(file.shown) + " ends at byte " +
             std::to_string(offset + static_cast<Index>(done)) +
             ", in the middle of a window; it was cut short since it was opened";
    });
    done += static_cast<std::size_t>(got);
  }
}

void read_window(const TokenFile& file, Index start, Index length, std::int32_t* out, const std::string& operation) {
  const auto bytes = static_cast<std::size_t>(length * file.bytes);
  const Index offset = start * file.bytes;
  if (file.bytes == 2) {
    std::vector<std::uint16_t> tokens(static_cast<std::size_t>(length));
    read_at(file, tokens.data(), bytes, offset, operation);
    for (Index i = 0; i < length; ++i) out[i] = tokens[static_cast<std::size_t>(i)];
    return;
  }
  read_at(file, out, bytes, offset, operation);
  for (Index i = 0; i < length; ++i) {
    check(out[i] >= 0, Code::corrupt, [&] {
      return operation + ": " + quoted(file.shown) + " has the token " +
             std::to_string(static_cast<std::uint32_t>(out[i])) + " at position " + std::to_string(start + i) +
             ", expected less than 2147483648; is it a file of u16?";
    });
  }
}

}  // namespace

void read_windows(const TokenFile& file, std::span<const double> starts, Index length, std::int32_t* out,
                  const std::string& operation, Parallel& parallel) {
  std::mutex mutex;
  std::optional<Error> failed;
  parallel.run(static_cast<int>(starts.size()), [&](int i, int) {
    try {
      const auto start = static_cast<Index>(starts[static_cast<std::size_t>(i)]);
      read_window(file, start, length, out + i * length, operation);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      if (!failed) failed = error;
    }
  });
  if (failed) throw *failed;
}

}  // namespace athanor
