// Rows of comma-separated text as numbers, by a rule that was learned before: columns of numbers with a scale, categories as zeros and
// ones, a label. What the rule cannot make into numbers for certain (a damaged record, a text among numbers, an unknown category) is handed
// back as cells, for whoever knows what is to become of it. The arithmetic is that of the rows of lib/preprocess: f64, then rounded to f32.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/index.h"
#include "io/csv_record.h"

namespace athanor {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using TextNumbers = std::unordered_map<std::string, Index, TextHash, std::equal_to<>>;

// A column of the file, in the file's order.
struct CsvColumn {
  enum class Kind { ignored, number, category, label_number, label_class };
  Kind kind = Kind::ignored;
  Index feature = 0;  // the first column of x that it becomes
  double offset = 0, divisor = 1;
  bool has_fill = false, has_indicator = false;
  double fill = 0;
  TextNumbers names;        // categories or classes with their number
  Index missing_name = -1;  // feature of a missing category; -1: not known here
  // What an unknown text becomes: not known here, zeros, or the same as a missing cell.
  enum class Unknown { refused, zeros, missing } unknown = Unknown::refused;
};

struct CsvRule {
  std::vector<CsvColumn> columns;
  std::vector<std::string> missing_cells;
  Index width = 0;  // columns of x
  bool has_classes = false;
};

// A row that is for others to look at.
struct CsvOddRow {
  Index row;   // its place among the rows of the scan
  Index line;  // on which it begins, from 1
  CsvDamage damage;
  std::vector<std::string> cells;
};

struct CsvScan {
  Index rows = 0;                // odd ones included, whose numbers are zeros
  std::vector<float> x;          // (rows, width)
  std::vector<std::uint32_t> y;  // (rows): bits of i32 classes or of f32 numbers
  std::vector<CsvOddRow> odd;
  Index offset = 0, line = 1;  // where the next scan begins
  bool has_ended = false;
  std::string record_delimiter;
};

struct CsvFile {
  int descriptor;
  std::string shown;  // its name in errors
};

// Up to `most` rows from a byte on, on which a record begins; without a rule all of them are odd. A record delimiter that is empty is found
// first. Throws Code::io.
CsvScan scan_csv(const CsvFile& file, Index offset, Index line, CsvGrammar grammar, const CsvRule* rule, Index most,
                 const std::string& operation);

}  // namespace athanor
