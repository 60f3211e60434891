#include "io/csv_rows.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/error.h"
#include "base/sentence.h"

namespace athanor {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::size_t kLongest = std::size_t{1} << 22;  // bytes of a record; less those of a byte order mark

struct Block {
  std::string_view text;
  bool is_last;  // the file ends within it
};

// Up to so many bytes of the file, in memory that the thread keeps for the next block.
Block read_block(const CsvFile& file, Index offset, std::size_t bytes, const std::string& operation) {
  thread_local std::vector<char> kept;
  if (kept.size() < bytes) kept.resize(bytes);
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(file.descriptor, kept.data() + done, bytes - done,
                                static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, Code::io, [&] {
      return operation + ": " + quoted(file.shown) + " cannot be read: " + std::generic_category().message(errno);
    });
    if (got == 0) return {{kept.data(), done}, true};
    done += static_cast<std::size_t>(got);
  }
  return {{kept.data(), bytes}, false};
}

constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// A decimal number that is all of the text, correctly rounded; false for what JavaScript's Number may read otherwise.
bool to_number(std::string_view text, double& value) {
  const char *begin = text.data(), *end = begin + text.size();
  if (begin != end && *begin == '+') ++begin;
  const char* first = begin != end && *begin == '-' && begin == text.data() ? begin + 1 : begin;
  if (first == end || !((*first >= '0' && *first <= '9') || *first == '.')) return false;  // inf, nan
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stop == end;
}

// The number at the start of the text, up to the first byte that is none of a plain decimal's; the bytes read, 0 where it is
// not certain. Digits up to 2^53 over a power of ten up to 22 are divided exactly (Clinger 1990).
std::size_t read_number(const char* begin, const char* end, double& value) {
  const char* at = begin;
  const bool is_negative = at != end && *at == '-';
  if (is_negative) ++at;
  std::uint64_t mantissa = 0;
  const char* digits = at;
  const auto read_digits = [&] {
    for (; at != end; ++at) {
      const auto digit = static_cast<unsigned char>(*at - '0');
      if (digit > 9) return;
      mantissa = mantissa * 10 + digit;
    }
  };
  read_digits();
  std::ptrdiff_t count = at - digits, fraction = 0;
  if (at != end && *at == '.') {
    const char* point = ++at;
    read_digits();
    fraction = at - point;
    count += fraction;
  }
  if (count == 0 || count > 19) return 0;
  if (mantissa > (std::uint64_t{1} << 53)) return 0;
  const double whole = static_cast<double>(mantissa);
  value = fraction == 0 ? whole : whole / kPowers[fraction];
  if (is_negative) value = -value;
  return static_cast<std::size_t>(at - begin);
}

class Rows {
 public:
  Rows(const CsvGrammar& grammar, const CsvRule& rule) : grammar_(grammar), rule_(rule) {
    for (const std::string& cell : rule.missing_cells) longest_missing_ = std::max(longest_missing_, cell.size());
    is_empty_missing_ = std::find(rule.missing_cells.begin(), rule.missing_cells.end(), "") != rule.missing_cells.end();
    is_simple_ = grammar.delimiter.size() == 1 && grammar.record_delimiter != "\r" && !rule.columns.empty();
    delimiter_ = grammar.delimiter[0];
    is_windows_ = grammar.record_delimiter.size() == 2;
  }

  // Reads the row at the start of the text straight into numbers; the bytes that it takes, 0 where it has to be looked at closely.
  std::size_t fast(std::string_view text, float* x, std::uint32_t& y) const {
    if (!is_simple_ || text.front() == '\n' || text.front() == '\r') return 0;
    const char *at = text.data(), *end = at + text.size();
    const std::size_t columns = rule_.columns.size();
    for (std::size_t c = 0; c < columns; ++c) {
      const CsvColumn& column = rule_.columns[c];
      const bool is_last = c + 1 == columns;
      const char* begin = at;
      double value = 0;
      const bool is_number = column.kind == CsvColumn::Kind::number || column.kind == CsvColumn::Kind::label_number;
      if (is_number) at += read_number(at, end, value);
      if (at != begin && ends_cell(at, end, is_last)) {
        if (!put_number(column, value, {begin, static_cast<std::size_t>(at - begin)}, x, y)) return 0;
      } else {
        while (at != end && *at != delimiter_ && *at != '\n' && *at != '"' && *at != '\r') ++at;
        if (!ends_cell(at, end, is_last)) return 0;
        const std::string_view cell(begin, static_cast<std::size_t>(at - begin));
        if (!cell.empty() && (is_edge(cell.front()) || is_edge(cell.back()))) return 0;
        if (!put(column, cell, x, y)) return 0;
      }
      at += is_last ? grammar_.record_delimiter.size() : 1;
    }
    return static_cast<std::size_t>(at - text.data());
  }

  // The same of cells that were read one by one.
  bool slow(const CsvRecord& record, float* x, std::uint32_t& y) const {
    if (record.damage != CsvDamage::none || record.count != rule_.columns.size()) return false;
    for (std::size_t c = 0; c < record.count; ++c)
      if (!put(rule_.columns[c], record.cells[c], x, y)) return false;
    return true;
  }

 private:
  // A blank, or a part of one beyond ASCII.
  static bool is_edge(char byte) {
    return static_cast<unsigned char>(byte) <= ' ' || static_cast<unsigned char>(byte) >= 0x80;
  }

  bool ends_cell(const char* at, const char* end, bool is_last) const {
    if (at == end) return false;
    if (!is_last) return *at == delimiter_;
    if (!is_windows_) return *at == '\n';
    return *at == '\r' && at + 1 != end && at[1] == '\n';
  }

  bool is_missing(std::string_view cell) const {
    if (cell.empty()) return is_empty_missing_;
    if (cell.size() > longest_missing_) return false;
    return std::find(rule_.missing_cells.begin(), rule_.missing_cells.end(), cell) != rule_.missing_cells.end();
  }

  bool put_number(const CsvColumn& column, double value, std::string_view cell, float* x, std::uint32_t& y) const {
    if (longest_missing_ > 0 && is_missing(cell)) return put(column, cell, x, y);
    if (column.kind == CsvColumn::Kind::label_number) {
      y = std::bit_cast<std::uint32_t>(static_cast<float>(value));
      return true;
    }
    x[column.feature] = static_cast<float>((value - column.offset) / column.divisor);
    if (column.has_indicator) x[column.feature + 1] = 0;
    return true;
  }

  bool put(const CsvColumn& column, std::string_view cell, float* x, std::uint32_t& y) const {
    using Kind = CsvColumn::Kind;
    if (column.kind == Kind::ignored) return true;
    const bool is_gone = is_missing(cell);
    switch (column.kind) {
      case Kind::number: {
        double value = column.fill;
        if (is_gone ? !column.has_fill : !to_number(cell, value)) return false;
        x[column.feature] = static_cast<float>((value - column.offset) / column.divisor);
        if (column.has_indicator) x[column.feature + 1] = is_gone ? 1 : 0;
        return true;
      }
      case Kind::category: {
        Index at = column.missing_name;
        if (!is_gone) {
          const auto found = column.names.find(cell);
          if (found != column.names.end())
            at = found->second;
          else if (column.unknown == CsvColumn::Unknown::zeros)
            return true;
          else if (column.unknown == CsvColumn::Unknown::refused)
            return false;
        }
        if (at < 0) return false;
        x[column.feature + at] = 1;
        return true;
      }
      case Kind::label_number: {
        double value = 0;
        if (is_gone || !to_number(cell, value)) return false;
        y = std::bit_cast<std::uint32_t>(static_cast<float>(value));
        return true;
      }
      case Kind::label_class: {
        if (is_gone) return false;
        const auto found = column.names.find(cell);
        if (found == column.names.end()) return false;
        y = static_cast<std::uint32_t>(found->second);
        return true;
      }
      case Kind::ignored: return true;
    }
    return false;
  }

  const CsvGrammar& grammar_;
  const CsvRule& rule_;
  std::size_t longest_missing_ = 0;
  bool is_empty_missing_ = false, is_simple_ = false, is_windows_ = false;
  char delimiter_ = ',';
};

// The byte after the line that goes on at `offset`.
Index end_of_line(const CsvFile& file, Index offset, const std::string& record_delimiter,
                  const std::string& operation) {
  for (;;) {
    const auto [text, is_last] = read_block(file, offset, kBlock, operation);
    const std::size_t found = text.find(record_delimiter);
    if (found != std::string_view::npos) return offset + static_cast<Index>(found + record_delimiter.size());
    if (is_last) return offset + static_cast<Index>(text.size());
    offset += static_cast<Index>(text.size() - (record_delimiter.size() - 1));
  }
}

Index lines_in(std::string_view text, const std::string& record_delimiter) {
  return static_cast<Index>(std::count(text.begin(), text.end(), record_delimiter == "\r" ? '\r' : '\n'));
}

}  // namespace

CsvScan scan_csv(const CsvFile& file, Index offset, Index line, CsvGrammar grammar, const CsvRule* rule, Index most,
                 const std::string& operation) {
  const CsvRule none;
  CsvScan scan;
  for (std::size_t size = kBlock;; size *= 4) {
    const auto [block, is_last] = read_block(file, offset, size, operation);
    std::string_view text = block;
    if (offset == 0 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (grammar.record_delimiter.empty()) grammar.record_delimiter = find_record_delimiter(text);
    const Rows rows(grammar, rule ? *rule : none);
    const auto width = static_cast<std::size_t>(rule ? rule->width : 0);
    const std::size_t before = block.size() - text.size();
    std::size_t at = 0;
    CsvRecord record;
    scan.line = line;
    bool is_cut = false;
    while (at < text.size() && scan.rows < most) {
      const std::string_view rest = text.substr(at);
      const std::size_t room = (static_cast<std::size_t>(scan.rows) + 1) * width;
      if (scan.x.size() < room)
        scan.x.resize(std::max(room, std::min(2 * room, static_cast<std::size_t>(most) * width)));
      float* x = scan.x.data() + (room - width);
      std::uint32_t y = 0;
      if (const std::size_t taken = rule ? rows.fast(rest, x, y) : 0) {
        at += taken, ++scan.line, ++scan.rows;
        scan.y.push_back(y);
        continue;
      }
      std::fill(x, x + width, 0.0f);
      const CsvStatus status = read_record(grammar, rest, is_last, rest.size() >= kLongest - 3, record);
      if (status == CsvStatus::needs_more) {
        is_cut = true;
        break;
      }
      if (status == CsvStatus::record) {
        y = 0;
        if (!rule || !rows.slow(record, x, y)) {
          std::fill(x, x + width, 0.0f);
          const auto count = static_cast<std::ptrdiff_t>(record.damage == CsvDamage::none ? record.count : 0);
          scan.odd.push_back(
              {scan.rows, scan.line, record.damage, {record.cells.begin(), record.cells.begin() + count}});
        }
        ++scan.rows;
        scan.y.push_back(y);
      }
      scan.line += lines_in(rest.substr(0, record.end), grammar.record_delimiter);
      at += record.end;
      if (record.is_cut) {
        scan.offset = end_of_line(file, offset + static_cast<Index>(before + at), grammar.record_delimiter, operation);
        ++scan.line;
        scan.x.resize(static_cast<std::size_t>(scan.rows) * width);
        scan.record_delimiter = grammar.record_delimiter;
        return scan;
      }
    }
    // A record that is longer than what was read: again with more of the file.
    if (is_cut && scan.rows == 0 && at == 0 && block.size() < kLongest) continue;
    scan.offset = offset + static_cast<Index>(before + at);
    scan.has_ended = is_last && at == text.size();
    break;
  }
  scan.x.resize(static_cast<std::size_t>(scan.rows * (rule ? rule->width : 0)));
  scan.record_delimiter = grammar.record_delimiter;
  return scan;
}

}  // namespace athanor
