// Writing: the shortest digits that read back to the same double, escapes only where JSON needs them.
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/json.h"

namespace athanor {
namespace {

class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  void write(const Json& value, int depth) {
    if (const bool* x = value.boolean()) {
      out_ += *x ? "true" : "false";
    } else if (value.integer() || value.real()) {
      number(value);
    } else if (const std::string* x = value.string()) {
      string(*x);
    } else if (const Json::Array* x = value.array()) {
      list('[', ']', *x, depth, [&](const Json& element) { write(element, depth + 1); });
    } else if (const Json::Object* x = value.object()) {
      list('{', '}', *x, depth, [&](const Json::Member& member) {
        string(member.first);
        out_ += indent_ > 0 ? ": " : ":";
        write(member.second, depth + 1);
      });
    } else {
      out_ += "null";
    }
  }
  std::string take() { return std::move(out_); }

 private:
  void number(const Json& value) {
    char digits[32];
    if (const double* x = value.real()) {
      check(std::isfinite(*x), Code::argument, [&] { return "JSON has no number for " + std::to_string(*x); });
      const std::string_view text(digits, std::to_chars(digits, digits + sizeof digits, *x).ptr);
      out_ += text;
      if (text.find_first_of(".e") == std::string_view::npos) out_ += ".0";  // still a real when it is read back
    } else {
      out_ += std::string_view(digits, std::to_chars(digits, digits + sizeof digits, *value.integer()).ptr);
    }
  }

  void string(std::string_view text) {
    check(valid_utf8(text) == text.size(), Code::argument, [&] { return "JSON text must be UTF-8, got other bytes"; });
    out_ += '"';
    for (const char c : text) {
      constexpr char kDigits[] = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (byte < 0x20) {
        out_ += c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : "";
        if (c != '\n' && c != '\t' && c != '\r') out_ += {'\\', 'u', '0', '0', kDigits[byte >> 4], kDigits[byte & 15]};
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  template <class List, class Each>
  void list(char open, char close, const List& items, int depth, Each each) {
    out_ += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ',';
      first = false;
      line(depth + 1);
      each(item);
    }
    if (!first) line(depth);
    out_ += close;
  }

  void line(int depth) {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth * indent_), ' ');
  }

  std::string out_;
  int indent_;
};

}  // namespace

std::string write_json(const Json& value, int indent) {
  Writer writer(indent);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace athanor
