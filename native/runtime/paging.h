// Parameters that are not all in memory at once. A program that is made with them says, before the step that reads some, that it needs their
// piece, and that it needs one no longer when it goes on to another.
#pragma once
#include "runtime/variable.h"

namespace athanor {

class Paging {
 public:
  virtual ~Paging() = default;

  // The piece that a variable lies in; -1 for one that is always there.
  virtual int piece_of(const Variable& variable) const = 0;

  // A program is made: told of what its steps will need, in their order.
  virtual void begin_program() = 0;
  virtual void note_need(int piece) = 0;
  virtual void end_program() = 0;

  // It runs.
  virtual void need(int piece) = 0;
  virtual void drop(int piece) = 0;
};

}  // namespace athanor
