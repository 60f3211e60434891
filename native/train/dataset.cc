#include "train/dataset.h"

#include <cstring>

#include "base/error.h"
#include "kernels/movement/permutation.h"

namespace athanor {

Dataset::Dataset(std::vector<Column> columns) : columns_(std::move(columns)) {
  check(!columns_.empty(), Code::argument, [] { return "data: a data set needs at least one column"; });
  for (const Column& column : columns_) {
    check(column.type.shape.rank() >= 1, Code::shape,
          [&] { return "data: column \"" + column.name + "\" needs a dimension for its rows, got a scalar"; });
    check(column.type.shape[0] == columns_[0].type.shape[0], Code::shape, [&] {
      return "data: every column needs the same number of rows, got " + std::to_string(columns_[0].type.shape[0]) +
             " in \"" + columns_[0].name + "\" and " + std::to_string(column.type.shape[0]) + " in \"" + column.name +
             "\"";
    });
  }
  rows_ = columns_[0].type.shape[0];
  check(rows_ <= INT32_MAX, Code::shape,
        [&] { return "data: at most 2,147,483,647 rows in memory, got " + std::to_string(rows_) + "; split the set"; });
}

const Column& Dataset::column(const std::string& name) const {
  std::string known;
  for (const Column& column : columns_) {
    if (column.name == name) return column;
    known += (known.empty() ? "\"" : ", \"") + column.name + "\"";
  }
  throw Error(Code::argument, "data: there is no column \"" + name + "\"; the data set has " + known);
}

void Dataset::write(const std::string& name, Index first, Index rows, const std::byte* data) {
  const Column& to = column(name);
  check(first >= 0 && rows >= 0 && first + rows <= rows_, Code::argument, [&] {
    return "data: rows " + std::to_string(first) + " to " + std::to_string(first + rows) + " leave the " +
           std::to_string(rows_) + " of the data set";
  });
  const Index row_bytes = rows_ == 0 ? 0 : to.type.bytes() / rows_;
  if (rows > 0) {
    std::memcpy(to.data->host() + first * row_bytes, data, static_cast<std::size_t>(rows * row_bytes));
    to.data->wrote_on_host();
  }
}

const Buffer& Dataset::order(std::uint64_t seed, std::uint64_t epoch) {
  const bool known = order_ != nullptr && seed == seed_ && epoch == epoch_;
  if (order_ == nullptr) order_ = std::make_unique<Buffer>(rows_ * static_cast<Index>(sizeof(std::int32_t)));
  if (!known) {
    kernels::permutation(seed, epoch, rows_, reinterpret_cast<std::int32_t*>(order_->host()));
    order_->wrote_on_host();
    seed_ = seed, epoch_ = epoch;
  }
  return *order_;
}

}  // namespace athanor
