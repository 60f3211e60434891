#include "quant/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace athanor::quant {
namespace {

constexpr Index kPanel = 64;        // columns factored, inverted or rounded before they reach the rest
constexpr Index kRowsPerTask = 16;  // rows of w that a task rounds
constexpr Index kStripe = 256;      // rows of H that are updated up to the same column

using Product = decltype(GptqArgs::product);

int tasks_of(Index count, Index each) { return static_cast<int>((count + each - 1) / each); }

// C (M, N) += A (M, K) · B (K, N); A by its strides, B and C by rows of length ld.
struct Update {
  Index M, N, K;
  const double* a;
  Index a_row, a_col;
  const double* b;
  double* c;
  Index ld;
};

void add(Product product, const Update& u, Parallel& parallel) {
  if (u.M <= 0 || u.N <= 0 || u.K <= 0) return;
  GemmF64Args args;
  args.M = u.M, args.N = u.N, args.K = u.K;
  args.a = u.a, args.a_row = u.a_row, args.a_col = u.a_col;
  args.b = u.b, args.b_row = u.ld, args.b_col = 1;
  args.c = u.c, args.ldc = u.ld;
  args.accumulate = true;
  product(args, parallel);
}

// H shrunk and damped, in the order of `order`. An input that was never seen (H_kk = 0) has nothing beside its diagonal, which may be
// anything.
std::vector<double> damped(const GptqArgs& args, const std::vector<Index>& order) {
  const Index n = args.inner;
  double trace = 0;
  Index seen = 0;
  for (Index k = 0; k < n; ++k) {
    trace += args.moments[k * (n + 1)];
    seen += args.moments[k * (n + 1)] > 0 ? 1 : 0;
  }
  const double mean = seen > 0 ? trace / static_cast<double>(seen) : 1;
  const double kept = 1 - gptq_shrinkage(args);
  std::vector<double> h(static_cast<std::size_t>(n * n));
  for (Index i = 0; i < n; ++i) {
    const double* from = args.moments + order[i] * n;
    for (Index j = 0; j < n; ++j) h[i * n + j] = kept * from[order[j]];
    const double diagonal = from[order[i]];
    h[i * n + i] = (diagonal > 0 ? diagonal : mean) + args.damp * mean;
  }
  return h;
}

// One panel: rows low … high - 1 of the lower half, all their columns, last row first.
bool factor_panel(std::vector<double>& a, Index n, Index low, Index high) {
  for (Index k = high - 1; k >= low; --k) {
    double* row = &a[k * n];  // H_k0 … H_kk, what is left of it
    if (!(row[k] > 0)) return false;
    const double pivot = std::sqrt(row[k]);
    for (Index j = 0; j < k; ++j) row[j] /= pivot;
    row[k] = pivot;
    for (Index i = low; i < k; ++i) {
      const double factor = row[i];
      for (Index j = 0; j <= i; ++j) a[i * n + j] -= factor * row[j];
    }
  }
  return true;
}

// The lower half of `a` becomes Rᵀ of H = R Rᵀ: row k holds column k of R up to the diagonal. Panels of rows from the last on; a
// panel P takes Pᵀ P off the rows before it, in stripes that end at their last diagonal element's column.
bool factor(std::vector<double>& a, Index n, Product product, Parallel& parallel) {
  std::vector<double> minus(static_cast<std::size_t>(kPanel * n));
  for (Index high = n; high > 0; high -= std::min(kPanel, high)) {
    const Index low = std::max<Index>(0, high - kPanel);
    if (!factor_panel(a, n, low, high)) return false;
    for (Index k = low; k < high; ++k) {
      for (Index j = 0; j < low; ++j) minus[(k - low) * n + j] = -a[k * n + j];
    }
    for (Index first = 0; first < low; first += kStripe) {
      const Index last = std::min(low, first + kStripe);
      add(product, {last - first, last, high - low, &minus[first], 1, n, &a[low * n], &a[first * n], n}, parallel);
    }
  }
  return true;
}

// U = R⁻¹ from the rows Rᵀ: U_i = (e_i − Σ_{p > i} R_ip U_p) / R_ii, rows from the last on, the sum over later panels as a product.
void invert(const std::vector<double>& a, Index n, std::vector<double>& u, Product product, Parallel& parallel) {
  u.assign(static_cast<std::size_t>(n * n), 0);
  std::vector<double> minus(static_cast<std::size_t>(n * kPanel));  // −R_pi, (p, i)
  for (Index high = n; high > 0; high -= std::min(kPanel, high)) {
    const Index low = std::max<Index>(0, high - kPanel), width = high - low;
    for (Index p = high; p < n; ++p) {
      for (Index i = 0; i < width; ++i) minus[p * kPanel + i] = -a[p * n + low + i];
    }
    add(product,
        {width, n - high, n - high, &minus[high * kPanel], 1, kPanel, &u[high * n + high], &u[low * n + high], n},
        parallel);
    for (Index i = high - 1; i >= low; --i) {
      double* row = &u[i * n];
      row[i] = 1;
      for (Index p = i + 1; p < high; ++p) {
        const double *other = &u[p * n], factor = a[p * n + i];
        for (Index j = p; j < n; ++j) row[j] -= factor * other[j];
      }
      const double pivot = a[i * n + i];
      for (Index j = i; j < n; ++j) row[j] /= pivot;
    }
  }
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

// What the rounding of rows needs: w in the order of `order`, and the errors of a panel's columns with their sign turned.
struct Rounding {
  const GptqArgs& args;
  const std::vector<Index>& order;
  const std::vector<double>& u;
  std::vector<double> w, minus_errors;

  Rounding(const GptqArgs& args, const std::vector<Index>& order, const std::vector<double>& u)
      : args(args),
        order(order),
        u(u),
        w(static_cast<std::size_t>(args.rows * args.inner)),
        minus_errors(static_cast<std::size_t>(args.rows * kPanel)) {
    for (Index row = 0; row < args.rows; ++row) {
      for (Index k = 0; k < args.inner; ++k) w[row * args.inner + k] = args.w[row * args.inner + order[k]];
    }
  }

  // Columns begin … end - 1 of some rows, each making up for those before it within the panel.
  void round_panel(Index first, Index last, Index begin, Index end, std::int32_t* codes) {
    const Index n = args.inner;
    for (Index k = begin; k < end; ++k) {
      const double* column = &u[k * n];
      for (Index r = first; r < last; ++r) {
        double* row = &w[r * n];
        const double error = (row[k] - rounded(args, row[k], r, order[k], codes + r * n + order[k])) / column[k];
        minus_errors[r * kPanel + k - begin] = -error;
        for (Index j = k + 1; j < end; ++j) row[j] -= error * column[j];
      }
    }
  }
};

}  // namespace

double gptq_shrinkage(const GptqArgs& args) {
  if (args.samples <= 0) return 0;
  const Index n = args.inner;
  double p = 0, squares = 0;  // seen inputs, and the sum of their squared correlations
  for (Index i = 0; i < n; ++i) {
    const double own = args.moments[i * (n + 1)];
    if (own <= 0) continue;
    p += 1;
    for (Index j = 0; j < n; ++j) {
      const double product = args.moments[i * n + j], other = args.moments[j * (n + 1)];
      if (other > 0) squares += product * product / (own * other);
    }
  }
  const double between = squares - p;  // off the diagonal
  if (p < 2 || between <= 0) return 1;
  return std::min(1.0, ((1 - 2 / p) * squares + p * p) / ((args.samples + 1 - 2 / p) * between));
}

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
  if (!factor(h, args.inner, args.product, parallel)) return false;
  invert(h, args.inner, u, args.product, parallel);
  return true;
}

bool gptq(const GptqArgs& args, std::int32_t* codes, Parallel& parallel) {
  const std::vector<Index> order = gptq_order(args);
  std::vector<double> u;
  if (!gptq_factor(args, order, u, parallel)) return false;
  Rounding rounding(args, order, u);
  const Index n = args.inner;
  for (Index begin = 0; begin < n; begin += kPanel) {
    const Index end = std::min(n, begin + kPanel);
    parallel.run(tasks_of(args.rows, kRowsPerTask), [&](int task, int) {
      const Index first = task * kRowsPerTask;
      rounding.round_panel(first, std::min(args.rows, first + kRowsPerTask), begin, end, codes);
    });
    add(args.product,
        {args.rows, n - end, end - begin, rounding.minus_errors.data(), kPanel, 1, &u[begin * n] + end,
         rounding.w.data() + end, n},
        parallel);
  }
  return true;
}

}  // namespace athanor::quant
