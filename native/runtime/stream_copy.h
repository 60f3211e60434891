// A copy of more bytes than caches hold: past them, so that memory is read once and written once. A plain copy of less than about a
// megabyte at a time reads also what it is about to overwrite, which is half as many bytes again.
#pragma once
#include <cstddef>

namespace athanor {

void stream_copy(std::byte* to, const std::byte* from, std::size_t bytes);

}  // namespace athanor
