// The one exception type of the engine. Its codes are mirrored by the registry in lib/errors.ts; the message is the whole
// sentence a user reads: operation, expectation, what came, a way out.
#pragma once
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace athanor {

enum class Code {
  shape,
  dtype,
  argument,
  disposed,
  aborted,
  corrupt,
  io,
  memory,
  nonfinite,
  communication,
  unsupported,
  unsupported_op,
  device,
  internal
};

constexpr const char* name_of(Code code) {
  switch (code) {
    case Code::shape: return "ERR_ATHANOR_SHAPE";
    case Code::dtype: return "ERR_ATHANOR_DTYPE";
    case Code::argument: return "ERR_ATHANOR_ARGUMENT";
    case Code::disposed: return "ERR_ATHANOR_DISPOSED";
    case Code::aborted: return "ERR_ATHANOR_ABORTED";
    case Code::corrupt: return "ERR_ATHANOR_CORRUPT";
    case Code::io: return "ERR_ATHANOR_IO";
    case Code::memory: return "ERR_ATHANOR_MEMORY";
    case Code::nonfinite: return "ERR_ATHANOR_NONFINITE";
    case Code::communication: return "ERR_ATHANOR_COMMUNICATION";
    case Code::unsupported: return "ERR_ATHANOR_UNSUPPORTED";
    case Code::unsupported_op: return "ERR_ATHANOR_UNSUPPORTED_OP";
    case Code::device: return "ERR_ATHANOR_DEVICE";
    case Code::internal: return "ERR_ATHANOR_INTERNAL";
  }
  return "ERR_ATHANOR_INTERNAL";
}

class Error final : public std::exception {
 public:
  // Facts that a program may want apart from the sentence, by name.
  using Details = std::vector<std::pair<const char*, std::string>>;

  Error(Code code, std::string message, Details details = {})
      : code_(code), message_(std::move(message)), details_(std::move(details)) {}
  Code code() const noexcept { return code_; }
  const Details& details() const noexcept { return details_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Code code_;
  std::string message_;
  Details details_;
};

// One-line invariant check. The message is only built on failure: check(ok, Code::shape, [&] { return …; }).
template <class Message>
inline void check(bool condition, Code code, Message&& message) {
  if (!condition) [[unlikely]]
    throw Error(code, std::string(message()));
}

}  // namespace athanor
