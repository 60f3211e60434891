// What the user reads when a run meets bad data: the same sentence whichever device met it.
#pragma once
#include <cstdint>
#include <string>

#include "base/index.h"

namespace athanor {

// One bad element of many: its value and where it is, and how many there are in all.
struct BadElement {
  std::int64_t value = 0;
  Index position = 0;
  Index count = 1;
};

std::string bad_label(const std::string& where, const BadElement& label, Index classes);
std::string bad_index(const std::string& where, const BadElement& index, Index limit);
std::string not_whole(const std::string& where, double value, Index position);
std::string bad_operand(const std::string& where, bool nonzero, std::int64_t value, Index position);
std::string bad_kept(const std::string& where, Index kept, Index width);
std::string without_rank(const std::string& where, Index position);
std::string contradicting_weight(const std::string& where);

}  // namespace athanor
