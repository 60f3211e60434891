// Reading. The grammar is that of RFC 8259, one function a rule.
#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "base/sentence.h"

namespace athanor {
namespace {

// Length of the well-formed UTF-8 sequence at the start of text, 0 where there is none (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                             : first >> 4 == 0xe              ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (byte(i) >> 6 != 2) return 0;
  const unsigned second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool beyond = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

class Parser {
 public:
  Parser(std::string_view text, const JsonLimits& limits) : text_(text), limits_(limits) {}

  Json document() {
    if (text_.size() > limits_.bytes) {
      throw Error(Code::corrupt, "the text has " + grouped(std::uint64_t{text_.size()}) + " bytes, at most " +
                                     grouped(std::uint64_t{limits_.bytes}) + " are read");
    }
    space();
    Json value = parse(0);
    space();
    if (at_ < text_.size()) fail("the end of the text");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* expected) const {
    fail_at(at_, std::string("expected ") + expected + ", got " + got());
  }

  [[noreturn]] void fail_at(std::size_t at, const std::string& what) const {
    const std::string_view before = text_.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 = 0
    throw Error(Code::corrupt,
                "line " + std::to_string(line) + ", column " + std::to_string(at - begin + 1) + ": " + what);
  }

  std::string got() const {
    if (at_ >= text_.size()) return "the end of the text";
    const std::size_t length = sequence_length(text_.substr(at_));
    return length == 0 ? "a byte that is not UTF-8" : quoted(text_.substr(at_, length));
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool digit() const { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  void count() {
    if (++values_ > limits_.values) fail_at(at_, "more than " + grouped(std::uint64_t{limits_.values}) + " values");
  }

  Json parse(int depth) {
    count();
    if (at_ >= text_.size()) fail("a value");
    switch (text_[at_]) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string();
      case 't': return word("true", true);
      case 'f': return word("false", false);
      case 'n': return word("null", Json());
      default: return number();
    }
  }

  Json word(std::string_view name, Json value) {
    if (text_.substr(at_, name.size()) != name) fail("a value");
    at_ += name.size();
    return value;
  }

  void enter(int depth) {
    if (depth >= limits_.depth) fail_at(at_, "nested deeper than " + std::to_string(limits_.depth));
    ++at_;
    space();
  }

  Json array(int depth) {
    enter(depth);
    Json::Array elements;
    if (take(']')) return elements;
    do {
      space();
      elements.push_back(parse(depth + 1));
      space();
    } while (take(','));
    if (!take(']')) fail("\",\" or \"]\"");
    return elements;
  }

  Json object(int depth) {
    const std::size_t begin = at_;
    enter(depth);
    Json::Object members;
    if (take('}')) return members;
    do {
      space();
      if (at_ >= text_.size() || text_[at_] != '"') fail("a key in double quotes");
      count();
      std::string key = string();
      space();
      if (!take(':')) fail("\":\"");
      space();
      members.emplace_back(std::move(key), parse(depth + 1));
      space();
    } while (take(','));
    if (!take('}')) fail("\",\" or \"}\"");
    refuse_duplicates(members, begin);
    return members;
  }

  void refuse_duplicates(const Json::Object& members, std::size_t at) const {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const Json::Member& member : members) keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) fail_at(at, "the key " + quoted(*twice) + " occurs twice in this object");
  }

  std::string string() {
    ++at_;
    std::string out;
    for (;;) {
      const std::size_t begin = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        const std::size_t length = sequence_length(text_.substr(at_));
        if (length == 0) fail("UTF-8");
        at_ += length;
      }
      out.append(text_.substr(begin, at_ - begin));
      if (take('"')) return out;
      if (!take('\\')) fail("the end of the string");
      escape(out);
    }
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    if (take('u')) return unicode(out);
    const std::size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which == std::string_view::npos) fail("an escape");
    out += kMeanings[which];
    ++at_;
  }

  unsigned hex4() {
    unsigned code = 0;
    const char* begin = text_.data() + at_;
    if (text_.size() - at_ < 4 || std::from_chars(begin, begin + 4, code, 16).ptr != begin + 4)
      fail("four hexadecimal digits");
    at_ += 4;
    return code;
  }

  void unicode(std::string& out) {
    unsigned code = hex4();
    if (code >= 0xdc00 && code < 0xe000) fail_at(at_ - 6, "the second half of a surrogate pair alone");
    if (code >= 0xd800 && code < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u") fail("the second half of a surrogate pair");
      at_ += 2;
      const unsigned low = hex4();
      if (low < 0xdc00 || low >= 0xe000) fail_at(at_ - 6, "expected the second half of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) return put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
    if (code < 0x10000) return put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }

  Json number() {
    const std::size_t begin = at_;
    take('-');
    if (!digit()) fail(at_ == begin ? "a value" : "a digit");
    if (!take('0')) digits();
    bool whole = true;
    if (take('.')) whole = false, digits();
    if (take('e') || take('E')) {
      whole = false;
      if (!take('+')) take('-');
      digits();
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    std::int64_t integer = 0;
    if (whole && std::from_chars(first, last, integer).ec == std::errc()) {
      if (integer != 0 || *first != '-') return integer;  // -0 is a real
    }
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc::result_out_of_range) {
      real = std::strtod(std::string(first, last).c_str(), nullptr);  // too small is 0 or denormal, too large infinity
      if (std::isinf(real)) fail_at(begin, "the number is out of the range of a double");
    }
    return real;
  }

  void digits() {
    if (!digit()) fail("a digit");
    while (digit()) ++at_;
  }

  std::string_view text_;
  const JsonLimits& limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  if (const Object* members = object())
    for (const Member& member : *members)
      if (member.first == key) return &member.second;
  return nullptr;
}

const char* Json::kind() const {
  constexpr const char* kNames[] = {"null", "a boolean", "a number", "a number", "a string", "an array", "an object"};
  return kNames[value_.index()];
}

std::size_t valid_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

Json parse_json(std::string_view text, const JsonLimits& limits) { return Parser(text, limits).document(); }

}  // namespace athanor
