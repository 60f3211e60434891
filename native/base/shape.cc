#include "base/shape.h"

#include "base/error.h"

namespace athanor {

void Shape::assign(const Index* extents, std::size_t rank) {
  check(rank <= static_cast<std::size_t>(kMaxRank), Code::shape, [&] {
    return "a tensor has at most " + std::to_string(kMaxRank) + " dimensions, got " + std::to_string(rank);
  });
  rank_ = static_cast<int>(rank);
  std::copy(extents, extents + rank, extents_.begin());
}

void Shape::push_back(Index extent) {
  check(rank_ < kMaxRank, Code::shape, [&] {
    return "a tensor has at most " + std::to_string(kMaxRank) + " dimensions; fold some of them with reshape";
  });
  extents_[rank_++] = extent;
}

void Shape::erase(int axis) {
  std::copy(extents_.begin() + axis + 1, extents_.begin() + rank_, extents_.begin() + axis);
  --rank_;
}

Index Shape::count(int first, int last) const {
  Index product = 1;
  for (int axis = first; axis < (last < 0 ? rank_ : last); ++axis) product *= extents_[axis];
  return product;
}

std::array<Index, kMaxRank> Shape::strides() const {
  std::array<Index, kMaxRank> strides{};
  Index step = 1;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= extents_[axis];
  }
  return strides;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

std::string to_string(const Type& type) { return std::string(name_of(type.dtype)) + " " + to_string(type.shape); }

Shape broadcast(const char* operation, const Shape& a, const Shape& b) {
  Shape result;
  const int rank = std::max(a.rank(), b.rank());
  for (int axis = 0; axis < rank; ++axis) {
    const int in_a = axis - (rank - a.rank());
    const int in_b = axis - (rank - b.rank());
    const Index from_a = in_a < 0 ? 1 : a[in_a];
    const Index from_b = in_b < 0 ? 1 : b[in_b];
    check(from_a == from_b || from_a == 1 || from_b == 1, Code::shape, [&] {
      return std::string(operation) + ": shapes " + to_string(a) + " and " + to_string(b) +
             " do not broadcast: counted from the right, extents must be equal or 1, got " + std::to_string(from_a) +
             " and " + std::to_string(from_b);
    });
    result.push_back(from_a == 1 ? from_b : from_a);
  }
  return result;
}

std::array<Index, kMaxRank> broadcast_strides(const Shape& from, const Shape& to) {
  std::array<Index, kMaxRank> strides{};
  const auto dense = from.strides();
  for (int axis = 0; axis < from.rank(); ++axis) {
    strides[axis + to.rank() - from.rank()] = from[axis] == 1 ? 0 : dense[axis];
  }
  return strides;
}

int normalize_axis(const char* operation, Index axis, int rank) {
  check(axis >= -rank && axis < rank, Code::argument, [&] {
    return std::string(operation) + ": axis " + std::to_string(axis) + " is out of range for a tensor with " +
           std::to_string(rank) + " dimensions; use " +
           (rank == 0 ? std::string("no axis on a scalar")
                      : "-" + std::to_string(rank) + " to " + std::to_string(rank - 1));
  });
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace athanor
