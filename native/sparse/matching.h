// Which weight of a row goes into which of its slots (kernels/sparse/sparse_slots.h): a matching of columns and windows, where a column may
// go into any window that shows it.
//
// Karp and Sipser's rule (1981): while a slot has one weight left that could fill it, or a weight one slot, that pair is taken, which
// costs nothing; else a weight takes whichever of its slots is the least wanted. What that leaves over moves others on, along the
// shortest path to a free slot, where one is near. Linear in the number of weights.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/sparse/sparse_slots.h"

namespace athanor::sparse {

class Matching {
 public:
  explicit Matching(Index columns);

  // Matches the `count` ascending columns of a row with slots [0, windows); the number of those without a slot.
  Index match(const std::int32_t* columns, Index count, Index windows);

  // Of element i in the last match: its slot, or -1.
  std::int32_t slot(Index i) const { return slot_[static_cast<std::size_t>(i)]; }

 private:
  template <class Do>
  void each_slot(Index element, Do&& action) const;  // taken ones too
  template <class Do>
  void each_element(Index slot, Do&& action) const;  // without a slot
  void take(Index element, Index slot);
  void follow_forced();
  bool move_others(Index element);

  SlotWindows of_;
  Index windows_ = 0;
  std::vector<std::int32_t> element_;  // of a column: its element, or -1
  std::vector<std::int32_t> slot_, column_;
  std::vector<std::int32_t> choices_;     // of an element: free slots
  std::vector<std::int32_t> wanted_;      // of a slot: elements without one
  std::vector<std::int32_t> element_of_;  // of a slot, or -1
  std::vector<std::int32_t> from_;        // of a slot, in a search: the element that came to it, or -1
  std::vector<std::int32_t> queue_;       // elements of a search
  std::vector<std::int32_t> forced_;      // elements, and slots as -1 - slot, that may have one choice left
};

}  // namespace athanor::sparse
