// The coordinates in which samplers see parameters. A real or an integer is in [0, 1]: real numbers on their own scale (linear or
// logarithmic), level i of a grid of n at (i + ½) / n. A choice is its index. A row of a table is one trial; a parameter that does
// not exist there, because the choice that it hangs on was another, is NaN.
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace athanor::tune {

// Another dimension, before this one, and the coordinates of it for which this one exists.
struct Condition {
  int on = 0;
  std::vector<double> values;
};

struct Dimension {
  enum class Kind { real, grid, choice };
  Kind kind = Kind::real;
  int levels = 0;                     // of a grid or a choice
  std::vector<Condition> conditions;  // all have to hold
};
using Dimensions = std::vector<Dimension>;

inline constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

// n rows of `width` coordinates.
struct Table {
  const double* data = nullptr;
  int rows = 0, width = 0;
  const double* row(int i) const { return data + static_cast<std::ptrdiff_t>(i) * width; }
  double at(int i, int j) const { return row(i)[j]; }
};

// Whether a dimension exists in a row in which those before it are known.
inline bool exists(const Dimension& dim, const double* row) {
  for (const Condition& condition : dim.conditions) {
    bool holds = false;  // NaN is near nothing
    for (const double value : condition.values) holds = holds || std::fabs(row[condition.on] - value) < 1e-9;
    if (!holds) return false;
  }
  return true;
}

// The level of a grid in which u lies.
inline int level_of(double u, int levels) {
  const int level = static_cast<int>(u * levels);
  return level < 0 ? 0 : level >= levels ? levels - 1 : level;
}
inline double middle_of(int level, int levels) { return (level + 0.5) / levels; }

inline int level_of(const Dimension& dim, double x) {
  return dim.kind == Dimension::Kind::choice ? static_cast<int>(x) : level_of(x, dim.levels);
}

// The coordinate of a level of a grid or a choice.
inline double coordinate_of(const Dimension& dim, int level) {
  return dim.kind == Dimension::Kind::grid ? middle_of(level, dim.levels) : level;
}

// A coordinate that the dimension has, nearest to u in [0, 1]; for a choice u is a share of its values.
inline double settled(const Dimension& dim, double u) {
  if (dim.kind == Dimension::Kind::real) return u < 0 ? 0 : u > 1 ? 1 : u;
  return coordinate_of(dim, level_of(u, dim.levels));
}

}  // namespace athanor::tune
