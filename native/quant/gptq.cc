#include "quant/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace athanor::quant {
namespace {

constexpr Index kPanel = 32;        // columns factored before they update the rest
constexpr Index kRowsPerTask = 16;  // rows of w, or of H, that a task takes: 16 rows of 4,096 doubles are an L2 cache
constexpr Index kColumnsPerTask = 128;
constexpr Index kBlock = 64;  // columns rounded before their errors reach the columns after the block

int tasks_of(Index count, Index each) { return static_cast<int>((count + each - 1) / each); }

// H with dead inputs (H_kk = 0, their weights do not matter) made harmless, damped, in the order of `order`.
std::vector<double> damped(const GptqArgs& args, const std::vector<Index>& order) {
  const Index n = args.inner;
  double trace = 0;
  for (Index k = 0; k < n; ++k) trace += args.moments[k * n + k] == 0 ? 1 : args.moments[k * n + k];
  const double extra = args.damp * trace / static_cast<double>(std::max<Index>(n, 1));
  std::vector<double> h(static_cast<std::size_t>(n * n));
  for (Index i = 0; i < n; ++i) {
    const double* from = args.moments + order[i] * n;
    for (Index j = 0; j < n; ++j) h[i * n + j] = from[order[j]];
    const double diagonal = h[i * n + i];
    h[i * n + i] = (diagonal == 0 ? 1 : diagonal) + extra;
  }
  return h;
}

// The lower half of `a` becomes Rᵀ of H = R Rᵀ: row k holds column k of R up to the diagonal. Panels of columns from the last on;
// within a panel each column updates the panel alone, then the panel updates what is left of it.
bool factor(std::vector<double>& a, Index n, Parallel& parallel) {
  for (Index high = n; high > 0; high -= std::min(kPanel, high)) {
    const Index low = std::max<Index>(0, high - kPanel);
    for (Index k = high - 1; k >= low; --k) {
      double* row = &a[k * n];  // H_k0 … H_kk, what is left of it
      if (!(row[k] > 0)) return false;
      const double pivot = std::sqrt(row[k]);
      for (Index j = 0; j < k; ++j) row[j] /= pivot;
      row[k] = pivot;
      // Rows of the panel above this one, all their columns: they are what later pivots read.
      for (Index i = low; i < k; ++i) {
        const double factor = row[i];
        for (Index j = 0; j <= i; ++j) a[i * n + j] -= factor * row[j];
      }
    }
    parallel.run(tasks_of(low, kRowsPerTask), [&](int task, int) {
      const Index end = std::min(low, (task + 1) * kRowsPerTask);
      for (Index i = task * kRowsPerTask; i < end; ++i) {
        double* to = &a[i * n];
        for (Index k = high - 1; k >= low; --k) {
          const double *row = &a[k * n], factor = row[i];
          for (Index j = 0; j <= i; ++j) to[j] -= factor * row[j];
        }
      }
    });
  }
  return true;
}

// U = R⁻¹ from the rows Rᵀ: U_i = (e_i − Σ_{p > i} R_ip U_p) / R_ii, columns of U apart from each other.
void invert(const std::vector<double>& a, Index n, std::vector<double>& u, Parallel& parallel) {
  u.assign(static_cast<std::size_t>(n * n), 0);
  parallel.run(tasks_of(n, kColumnsPerTask), [&](int task, int) {
    const Index first = task * kColumnsPerTask, last = std::min(n, first + kColumnsPerTask);
    for (Index i = last - 1; i >= 0; --i) {
      double* row = &u[i * n];
      if (i >= first) row[i] = 1;
      for (Index p = i + 1; p < last; ++p) {
        const double *other = &u[p * n], factor = a[p * n + i];
        for (Index j = std::max(first, p); j < last; ++j) row[j] -= factor * other[j];
      }
      const double pivot = a[i * n + i];
      for (Index j = std::max(first, i); j < last; ++j) row[j] /= pivot;
    }
  });
}

std::int32_t nearest(double x, const float* table, Index entries) {
  const Index above = std::upper_bound(table, table + entries, x) - table;
  if (above == 0) return 0;
  if (above == entries) return static_cast<std::int32_t>(entries - 1);
  const double down = x - static_cast<double>(table[above - 1]), up = static_cast<double>(table[above]) - x;
  if (down == up) return static_cast<std::int32_t>(above % 2 == 0 ? above : above - 1);
  return static_cast<std::int32_t>(down < up ? above - 1 : above);
}

// Rounds w at (row, column); its code goes to `code`, its value comes back.
double rounded(const GptqArgs& args, double w, Index row, Index column, std::int32_t* code) {
  const Index at = row * ((args.inner + args.group - 1) / args.group) + column / args.group;
  const double scale = args.scale[at], zero = args.zero[at];
  if (args.mask != nullptr && args.mask[row * args.inner + column] == 0) w = 0;
  if (args.table != nullptr) {
    *code = nearest(w / scale, args.table, args.entries);
    return scale * static_cast<double>(args.table[*code]);
  }
  const double integer = std::min(std::max(std::nearbyint(w / scale) + zero, args.low), args.high);
  *code = static_cast<std::int32_t>(integer);
  return scale * (integer - zero);
}

// kRowsPerTask rows at a time: every row of U is read once for all of them.
void round_rows(const GptqArgs& args, const std::vector<Index>& order, const std::vector<double>& u, Index first,
                Index last, std::int32_t* codes) {
  const Index n = args.inner, rows = last - first;
  std::vector<double> w(static_cast<std::size_t>(rows * n)), errors(static_cast<std::size_t>(rows * kBlock));
  for (Index r = 0; r < rows; ++r) {
    const float* from = args.w + (first + r) * n;
    for (Index k = 0; k < n; ++k) w[r * n + k] = args.moments[order[k] * (n + 1)] == 0 ? 0 : from[order[k]];
  }
  for (Index begin = 0; begin < n; begin += kBlock) {
    const Index end = std::min(n, begin + kBlock);
    for (Index k = begin; k < end; ++k) {
      const double* column = &u[k * n];
      for (Index r = 0; r < rows; ++r) {
        double* row = &w[r * n];
        const Index row_number = first + r;
        const double value = rounded(args, row[k], row_number, order[k], codes + row_number * n + order[k]);
        const double error = (row[k] - value) / column[k];
        errors[r * kBlock + k - begin] = error;
        for (Index j = k + 1; j < end; ++j) row[j] -= error * column[j];
      }
    }
    for (Index k = begin; k < end; ++k) {
      const double* column = &u[k * n];
      for (Index r = 0; r < rows; ++r) {
        double* row = &w[r * n];
        const double error = errors[r * kBlock + k - begin];
        for (Index j = end; j < n; ++j) row[j] -= error * column[j];
      }
    }
  }
}

}  // namespace

std::vector<Index> gptq_order(const GptqArgs& args) {
  std::vector<Index> order(static_cast<std::size_t>(args.inner));
  std::iota(order.begin(), order.end(), Index{0});
  if (!args.by_activation) return order;
  const auto weight = [&](Index k) { return args.moments[k * (args.inner + 1)]; };
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return weight(a) > weight(b); });
  return order;
}

bool gptq_factor(const GptqArgs& args, const std::vector<Index>& order, std::vector<double>& u, Parallel& parallel) {
  std::vector<double> h = damped(args, order);
  if (!factor(h, args.inner, parallel)) return false;
  invert(h, args.inner, u, parallel);
  return true;
}

bool gptq(const GptqArgs& args, std::int32_t* codes, Parallel& parallel) {
  const std::vector<Index> order = gptq_order(args);
  std::vector<double> u;
  if (!gptq_factor(args, order, u, parallel)) return false;
  parallel.run(tasks_of(args.rows, kRowsPerTask), [&](int task, int) {
    const Index first = task * kRowsPerTask;
    round_rows(args, order, u, first, std::min(args.rows, first + kRowsPerTask), codes);
  });
  return true;
}

}  // namespace athanor::quant
