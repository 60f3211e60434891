// In which orders a test's kernels run, and what of their results nobody wrote: the emulator knows (orders.cc), a GPU has one order
// and does not say (cuda/check/orders.cc).
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace athanor::test {

std::vector<const char*> orders();
void use_order(std::size_t number);
void use_usual_order();

// A sentence, or "" where all of it holds a value.
std::string unwritten(const void* memory, std::size_t bytes);

// Calls body(order's name) once for every order.
template <class Body>
void in_all_orders(Body body) {
  const std::vector<const char*> names = orders();
  for (std::size_t i = 0; i < names.size(); ++i) {
    use_order(i);
    body(names[i]);
  }
  use_usual_order();
}

}  // namespace athanor::test
