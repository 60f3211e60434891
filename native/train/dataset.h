// Samples in native memory: named columns with one row a sample, and the seeded order in which an epoch visits them.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/shape.h"
#include "runtime/buffer.h"

namespace athanor {

struct Column {
  std::string name;
  Type type;  // [rows, …]
  std::shared_ptr<Buffer> data;
};

class Dataset {
 public:
  // All columns have the same number of rows; throws Code::shape.
  explicit Dataset(std::vector<Column> columns);

  Index rows() const { return rows_; }
  const std::vector<Column>& columns() const { return columns_; }
  // Throws Code::argument naming the columns there are.
  const Column& column(const std::string& name) const;

  // Writes rows from `first` on of a column: samples that come while a run goes on. Not while a loop reads them. Throws Code::argument
  // for rows outside.
  void write(const std::string& name, Index first, Index rows, const std::byte* data);

  // The order of epoch `epoch`: the same for one seed whatever was asked before. Not for two threads at once.
  const Buffer& order(std::uint64_t seed, std::uint64_t epoch);  // i32 [rows]

 private:
  std::vector<Column> columns_;
  Index rows_ = 0;
  std::unique_ptr<Buffer> order_;
  std::uint64_t seed_ = 0, epoch_ = 0;
};

}  // namespace athanor
