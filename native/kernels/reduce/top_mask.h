// Which values of a row are its largest: y = 1 for the k largest of each row of x, 0 for the others.
// A long row goes by its k-th largest value, found by counting the values' leading bits three times (radix selection: no copy, no
// sorting, and the count alone decides, so that the result is exact); a short one by counting how many stand before each.
// Of equal values those that come first stay. -0 equals 0. Rows are independent tasks.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "base/parallel.h"

namespace athanor::kernels {

// x, y: (rows, width), 0 <= k <= width. Returns the position of a value that is NaN, and leaves y undefined then, or -1.
Index top_mask(const float* x, std::uint8_t* y, Index rows, Index width, Index k, Parallel& parallel);

}  // namespace athanor::kernels
