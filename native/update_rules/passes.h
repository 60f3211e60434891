// What a rule of several passes is made of (rule.h has those of one). Such a rule wants something of a whole tensor before it can update
// it: norms (LAMB, LARS), means of rows and columns (Adafactor), a matrix made of the gradient (Muon). Its header gives a struct
// <Type> with
//   kVariants; variant(hyper, matrix)     which kernels a tensor takes; matrix: it has two axes or more
//   state_mask(variant)                   bit k set: the tensor has state slot k
//   prepare(hyper, step, c)               the scalars of a step, c[kMaxScalars], as in a rule of one pass
//   fit(variant, extents, c)              optional: what of them depends on the extents of the tensor
//   traffic(variant, pass)                what a pass reads, writes and sums up; one that does nothing ends the variant
//   Pass<V, variant, pass>                its maths: constructed from c, called with the Elements of one register
//   begin(numbers, c)                     optional: the state of form `numbers` becomes scalars before the first pass
//   together(sums, numbers, c)            optional, after the first pass: sums over all tensors change that state and scalars
//   after(variant, pass, n, sums, c)      between the passes: the sums of the tensor's n elements become scalars of the next pass
// A pass that asks for `factors` sums the squares of the gradient along rows and columns, and the driver keeps their decayed means
// in the slots of forms `rows` and `columns`; factors(c) gives how. A pass that writes `scratch` leaves one f32 an element, which
// a rule with matrix work (optim/matrix.h) makes into another before the next pass reads it.
#pragma once
#include "update_rules/limits.h"
#include "update_rules/rule.h"

namespace athanor::optim {

// The axes of a tensor as the rules see them: batch · rows · columns elements, the last two axes being the matrix; outer is the first axis.
struct Extents {
  Index batch = 1, rows = 1, columns = 1, outer = 1;
  bool matrix = false;  // two axes or more

  constexpr Index count() const { return batch * rows * columns; }
};

struct Traffic {
  bool grad = false;    // e.g is read
  bool param = false;   // e.p is read
  bool update = false;  // e.p is written
  unsigned reads = 0;   // slots of form `same`
  unsigned writes = 0;
  int sums = 0;           // of e.sums
  bool squares = false;   // row and column sums of e.g²
  bool factored = false;  // e.row and e.column are read
  bool takes = false;     // e.t is read from the scratch
  bool leaves = false;    // e.t is written to it

  ATHANOR_RULE constexpr bool any() const { return grad || param || update || reads != 0 || takes; }
};

// One register of elements. What traffic() does not name is zero, and what is not named as written is dropped.
template <class V>
struct Elements {
  V p, g, t, row, column;
  V s[kMaxState];
  V sums[kMaxSums];
};

// How the means of rows and columns decay: mean += weight · (now - mean), and what the mean of all rows is at least where it divides.
struct Factors {
  float weight, least;
};

}  // namespace athanor::optim
