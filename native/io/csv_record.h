// Records of comma-separated text: cells between delimiters, in quotes where they hold one (RFC 4180), blanks around cells left out, empty
// lines too. Text that is well formed is read as csv-parse reads it; a record with a misplaced quote is damaged and ends with its line,
// so that the ones after it are whole.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/index.h"

namespace athanor {

struct CsvGrammar {
  std::string delimiter;         // between cells, such as ","
  std::string record_delimiter;  // between records: "\n", "\r\n" or "\r"
};

enum class CsvDamage { none, quote_in_cell, text_after_quote, quote_not_closed, too_long };

struct CsvRecord {
  std::vector<std::string> cells;
  std::size_t count = 0;  // of cells; the others are left over from records before
  CsvDamage damage = CsvDamage::none;
  std::size_t end = 0;  // bytes that the record takes, its delimiter included
  bool is_cut = false;  // damaged, and its line goes on after the text
};

enum class CsvStatus { record, empty_line, needs_more };

// Reads what begins at the start of `text`. `is_last`: nothing comes after it in the file. `is_full`: text as long as a record may be,
// where one that does not end in it is damaged.
CsvStatus read_record(const CsvGrammar& grammar, std::string_view text, bool is_last, bool is_full, CsvRecord& record);

// The delimiter of records that comes first outside of quotes; "\n" where there is none.
std::string find_record_delimiter(std::string_view text);

}  // namespace athanor
