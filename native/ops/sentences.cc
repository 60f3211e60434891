#include "ops/sentences.h"

#include <charconv>

namespace athanor {
namespace {

std::string more_like_it(Index count) {
  return count > 1 ? " (and " + std::to_string(count - 1) + " more like it)" : std::string();
}

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

std::string bad_label(const std::string& where, const BadElement& label, Index classes) {
  return where + ": label " + std::to_string(label.value) + " of row " + std::to_string(label.position) +
         " is no class, expected 0 to " + std::to_string(classes - 1) + more_like_it(label.count);
}

std::string bad_index(const std::string& where, const BadElement& index, Index limit) {
  return where + ": index " + std::to_string(index.value) + " at position " + std::to_string(index.position) +
         " is out of range, expected 0 to " + std::to_string(limit - 1) + more_like_it(index.count);
}

std::string not_whole(const std::string& where, double value, Index position) {
  return where + ": expected whole numbers, got " + shortest(value) + " at position " + std::to_string(position) +
         "; round them first if that is meant";
}

std::string bad_operand(const std::string& where, bool nonzero, std::int64_t value, Index position) {
  return where +
         (nonzero ? ": division by zero: the i32 divisor"
                  : ": whole numbers have no negative powers: the i32 exponent") +
         " at position " + std::to_string(position) + " is " + std::to_string(value) +
         "; cast both to f32, or keep such elements out with where";
}

std::string bad_kept(const std::string& where, Index kept, Index width) {
  return where + ": of rows of " + std::to_string(width) + " values it can keep 0 to " + std::to_string(width) +
         ", got " + std::to_string(kept);
}

std::string without_rank(const std::string& where, Index position) {
  return where + ": the value at position " + std::to_string(position) + " is NaN and has no rank";
}

std::string contradicting_weight(const std::string& where) {
  return where +
         ": the weight contradicts itself: its bitmap marks another number of codes than there are, a code is past the "
         "end of the table, or a scale is no number; quantize it again";
}

}  // namespace athanor
