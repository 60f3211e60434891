// Windows of a file of tokens, u16 or u32 in the machine's order (little-endian), read through the system's cache. Reading is by
// position rather than through a mapping: a file that is cut short meanwhile is an error, and not a signal that ends the process.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

struct TokenFile {
  int descriptor;
  int bytes;          // of a token: 2 or 4
  std::string shown;  // its name in errors
};

// out[i, :] ← tokens[starts[i] … + length), i32 (starts, length). Throws Code::io, Code::corrupt where the file ends before, or a
// token is 2^31 or more.
void read_windows(const TokenFile& file, std::span<const double> starts, Index length, std::int32_t* out,
                  const std::string& operation, Parallel& parallel);

}  // namespace athanor
