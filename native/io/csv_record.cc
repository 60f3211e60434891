#include "io/csv_record.h"

#include <cstring>

namespace athanor {
namespace {

// Bytes of the blank at the start of `text` by the rules of JavaScript's trim() and csv-parse; 0 where there is none.
std::size_t blank_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned a = byte(0), b = byte(1), c = byte(2);
  if (a == ' ' || a == '\t' || a == '\n' || a == '\f' || a == '\r') return 1;
  if (a < 0x80) return 0;
  if (a == 0xC2) return b == 0xA0 ? 2 : 0;               // U+00A0
  if (a == 0xE1) return b == 0x9A && c == 0x80 ? 3 : 0;  // U+1680
  if (a == 0xE3) return b == 0x80 && c == 0x80 ? 3 : 0;  // U+3000
  if (a == 0xEF) return b == 0xBB && c == 0xBF ? 3 : 0;  // U+FEFF
  if (a != 0xE2) return 0;
  if (b == 0x80) return (c >= 0x80 && c <= 0x8A) || c == 0xA8 || c == 0xA9 || c == 0xAF ? 3 : 0;  // U+2000 …
  return b == 0x81 && c == 0x9F ? 3 : 0;                                                          // U+205F
}

// The text without blanks at its end, by JavaScript's trimEnd(): vertical tabs too.
std::string_view without_blanks(std::string_view text) {
  for (;;) {
    const std::size_t size = text.size();
    if (size == 0) return text;
    const auto last = static_cast<unsigned char>(text[size - 1]);
    std::size_t gone = 0;
    if (last < 0x80) gone = last == '\v' || blank_at(text.substr(size - 1)) == 1 ? 1 : 0;
    for (std::size_t width = 2; gone == 0 && last >= 0x80 && width <= 3 && width <= size; ++width)
      if (blank_at(text.substr(size - width)) == width) gone = width;
    if (gone == 0) return text;
    text.remove_suffix(gone);
  }
}

class Reader {
 public:
  Reader(const CsvGrammar& grammar, std::string_view text, bool is_last, bool is_full, CsvRecord& record)
      : grammar_(grammar), text_(text), is_last_(is_last), is_full_(is_full), record_(record) {}

  CsvStatus run() {
    record_.count = 0;
    record_.damage = CsvDamage::none;
    record_.is_cut = false;
    for (;;) {
      // One cell.
      while (at_ < text_.size() && !is_at(grammar_.record_delimiter) && !is_at(grammar_.delimiter)) {
        const std::size_t blank = blank_at(text_.substr(at_));
        if (blank == 0) break;
        at_ += blank;
      }
      if (at_ == text_.size() && !is_last_) return more(CsvDamage::too_long, at_);
      const bool is_quoted = at_ < text_.size() && text_[at_] == '"';
      const Step step = is_quoted ? quoted() : plain();
      if (step == Step::needs_more) return more(is_quoted ? CsvDamage::quote_not_closed : CsvDamage::too_long, begin_);
      if (step == Step::damaged) return finished();
      // What ends it.
      if (at_ < text_.size() && is_at(grammar_.record_delimiter)) {
        at_ += grammar_.record_delimiter.size();
        return ended(is_quoted);
      }
      if (at_ >= text_.size()) return ended(is_quoted);
      at_ += grammar_.delimiter.size();
    }
  }

 private:
  enum class Step { cell, needs_more, damaged };

  bool is_at(const std::string& what) const { return text_.compare(at_, what.size(), what) == 0; }

  std::string& cell() {
    if (record_.count == record_.cells.size()) record_.cells.emplace_back();
    std::string& made = record_.cells[record_.count++];
    made.clear();
    return made;
  }

  Step plain() {
    begin_ = at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') return damaged(CsvDamage::quote_in_cell);
      if (is_at(grammar_.delimiter) || is_at(grammar_.record_delimiter)) break;
    }
    // A delimiter of two bytes may be cut by the end of the text.
    if (at_ == text_.size() && !is_last_) return Step::needs_more;
    cell().assign(without_blanks(text_.substr(begin_, at_ - begin_)));
    return Step::cell;
  }

  Step quoted() {
    begin_ = ++at_;
    std::string& made = cell();
    for (;;) {
      const void* found = at_ < text_.size() ? std::memchr(text_.data() + at_, '"', text_.size() - at_) : nullptr;
      if (!found) {
        if (!is_last_ && !is_full_) return Step::needs_more;
        at_ = begin_;
        return damaged(CsvDamage::quote_not_closed);
      }
      const auto quote = static_cast<std::size_t>(static_cast<const char*>(found) - text_.data());
      made.append(text_, at_, quote - at_);
      at_ = quote + 1;
      if (at_ < text_.size() && text_[at_] == '"') {
        made += '"';
        ++at_;
        continue;
      }
      return closed();
    }
  }

  // After a closing quote: blanks, then what ends the cell.
  Step closed() {
    for (;;) {
      if (at_ == text_.size()) return is_last_ ? Step::cell : Step::needs_more;
      if (is_at(grammar_.delimiter) || is_at(grammar_.record_delimiter)) return Step::cell;
      const std::size_t blank = blank_at(text_.substr(at_));
      if (blank == 0) return damaged(CsvDamage::text_after_quote);
      at_ += blank;
    }
  }

  // The record ends with the line in which it is damaged.
  Step damaged(CsvDamage what) {
    const std::size_t end = text_.find(grammar_.record_delimiter, at_);
    if (end == std::string_view::npos && !is_last_ && !is_full_) return Step::needs_more;
    record_.damage = what;
    record_.is_cut = end == std::string_view::npos && !is_last_;
    at_ = end == std::string_view::npos ? text_.size() : end + grammar_.record_delimiter.size();
    return Step::damaged;
  }

  CsvStatus more(CsvDamage what, std::size_t from) {
    if (!is_full_) return CsvStatus::needs_more;
    at_ = from;
    damaged(what);
    return finished();
  }

  CsvStatus finished() {
    record_.end = at_;
    return CsvStatus::record;
  }

  CsvStatus ended(bool is_quoted) {
    record_.end = at_;
    const bool is_empty = record_.count == 1 && !is_quoted && record_.cells[0].empty();
    return is_empty ? CsvStatus::empty_line : CsvStatus::record;
  }

  const CsvGrammar& grammar_;
  const std::string_view text_;
  bool is_last_, is_full_;
  CsvRecord& record_;
  std::size_t at_ = 0, begin_ = 0;
};

}  // namespace

CsvStatus read_record(const CsvGrammar& grammar, std::string_view text, bool is_last, bool is_full, CsvRecord& record) {
  return Reader(grammar, text, is_last, is_full, record).run();
}

std::string find_record_delimiter(std::string_view text) {
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') is_quoted = !is_quoted;
    if (is_quoted) continue;
    if (text[i] == '\n') return "\n";
    if (text[i] == '\r') return i + 1 < text.size() && text[i + 1] == '\n' ? "\r\n" : "\r";
  }
  return "\n";
}

}  // namespace athanor
