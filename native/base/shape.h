// A tensor's extents: at most kMaxRank of them, inline, row-major. Rank 0 is a scalar with one element.
#pragma once
#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/index.h"

namespace athanor {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Index> extents) { assign(extents.begin(), extents.size()); }
  explicit Shape(const std::vector<Index>& extents) { assign(extents.data(), extents.size()); }

  int rank() const { return rank_; }
  Index operator[](int axis) const { return extents_[axis]; }
  Index& operator[](int axis) { return extents_[axis]; }
  Index back() const { return extents_[rank_ - 1]; }
  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }

  void push_back(Index extent);
  void erase(int axis);

  // Product of the extents in [first, last); the whole tensor by default.
  Index count(int first = 0, int last = -1) const;

  // Strides in elements of a dense row-major tensor of this shape.
  std::array<Index, kMaxRank> strides() const;

  std::vector<Index> to_vector() const { return {begin(), end()}; }

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  void assign(const Index* extents, std::size_t rank);

  int rank_ = 0;
  std::array<Index, kMaxRank> extents_{};
};

// "[2, 3]"
std::string to_string(const Shape& shape);

// Element type and extents: what is known of a value before it exists.
struct Type {
  DType dtype = DType::f32;
  Shape shape;

  Index count() const { return shape.count(); }
  Index bytes() const { return shape.count() * size_of(dtype); }
  friend bool operator==(const Type&, const Type&) = default;
};

// "f32 [2, 3]"
std::string to_string(const Type& type);

// The common shape of a and b by NumPy's rule; throws Code::shape with `operation` in its sentence.
Shape broadcast(const char* operation, const Shape& a, const Shape& b);

// Strides that read `from` as if it had the shape `to` (0 where it repeats). `from` must broadcast to `to`.
std::array<Index, kMaxRank> broadcast_strides(const Shape& from, const Shape& to);

// Maps a possibly negative axis into [0, rank); throws Code::argument.
int normalize_axis(const char* operation, Index axis, int rank);

}  // namespace athanor
