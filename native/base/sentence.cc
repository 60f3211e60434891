#include "base/sentence.h"

namespace athanor {

std::string grouped(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string grouped(Index n) {
  if (n >= 0) return grouped(static_cast<std::uint64_t>(n));
  return "-" + grouped(std::uint64_t{0} - static_cast<std::uint64_t>(n));
}

std::string quoted(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  const bool cut = name.size() > kLongest;
  if (cut) {
    std::size_t end = kLongest;
    while (end > kLongest - 4 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    name = name.substr(0, end);
  }
  std::string text(1, '"');
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      constexpr char kDigits[] = "0123456789abcdef";
      text += "\\u00";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    } else {
      text += c;
    }
  }
  text += cut ? "…\"" : "\"";
  return text;
}

}  // namespace athanor
