#include "tune/numerics/minimize.h"

#include <algorithm>
#include <cmath>

#include "tune/numerics/linalg.h"

namespace athanor::tune {
namespace {

constexpr std::size_t kMemory = 8;

struct Pair {
  Reals s, y;
  double rho;
};

double inner(const Reals& a, const Reals& b) { return dot(a.data(), b.data(), static_cast<int>(a.size())); }

// −H g by the two loops, with H from the remembered pairs.
Reals direction_of(const Reals& gradient, const std::vector<Pair>& memory) {
  Reals q = gradient, alphas(memory.size());
  for (std::size_t i = memory.size(); i-- > 0;) {
    alphas[i] = memory[i].rho * inner(memory[i].s, q);
    for (std::size_t k = 0; k < q.size(); ++k) q[k] -= alphas[i] * memory[i].y[k];
  }
  if (!memory.empty()) {
    const double gamma = 1 / (memory.back().rho * inner(memory.back().y, memory.back().y));
    for (double& value : q) value *= gamma;
  }
  for (std::size_t i = 0; i < memory.size(); ++i) {
    const double beta = memory[i].rho * inner(memory[i].y, q);
    for (std::size_t k = 0; k < q.size(); ++k) q[k] += (alphas[i] - beta) * memory[i].s[k];
  }
  for (double& value : q) value = -value;
  return q;
}

}  // namespace

double minimize(const std::function<double(const double*, double*)>& f, const std::vector<double>& low,
                const std::vector<double>& high, std::vector<double>& x, const MinimizeOptions& options) {
  const std::size_t n = x.size();
  Reals gradient(n), next(n), next_gradient(n);
  for (std::size_t k = 0; k < n; ++k) x[k] = std::clamp(x[k], low[k], high[k]);
  double value = f(x.data(), gradient.data());
  int left = options.evaluations - 1;
  std::vector<Pair> memory;
  const auto held = [&](std::size_t k, const Reals& g) {
    return (x[k] <= low[k] && g[k] > 0) || (x[k] >= high[k] && g[k] < 0);
  };
  while (left > 0 && std::isfinite(value)) {
    Reals free = gradient;
    double largest = 0;
    for (std::size_t k = 0; k < n; ++k) {
      if (held(k, gradient)) free[k] = 0;
      largest = std::max(largest, std::fabs(free[k]));
    }
    if (largest < options.tolerance) break;
    Reals step = direction_of(free, memory);
    for (std::size_t k = 0; k < n; ++k)
      if (free[k] == 0) step[k] = 0;
    double slope = inner(step, free);
    if (!(slope < 0)) {  // curvature from before a bound was met leads nowhere
      memory.clear();
      for (std::size_t k = 0; k < n; ++k) step[k] = -free[k];
      slope = inner(step, free);
    }
    double length = 1;
    if (memory.empty()) length = std::min(1.0, options.first_step / std::sqrt(inner(step, step)));
    double next_value = value;
    bool moved = false;
    while (left-- > 0) {
      for (std::size_t k = 0; k < n; ++k) next[k] = std::clamp(x[k] + length * step[k], low[k], high[k]);
      next_value = f(next.data(), next_gradient.data());
      if (std::isfinite(next_value) && next_value <= value + 1e-4 * length * slope) {
        moved = true;
        break;
      }
      // The parabola through value, slope and the new value has its least point here; kept within a tenth and a half.
      const double parabola = -slope * length * length / (2 * (next_value - value - slope * length));
      length = std::isfinite(parabola) ? std::clamp(parabola, 0.1 * length, 0.5 * length) : 0.25 * length;
      if (length < 1e-10) break;
    }
    if (!moved) {
      if (memory.empty()) break;
      memory.clear();
      continue;
    }
    Pair pair{Reals(n), Reals(n), 0};
    for (std::size_t k = 0; k < n; ++k) pair.s[k] = next[k] - x[k], pair.y[k] = next_gradient[k] - gradient[k];
    const double curvature = inner(pair.s, pair.y);
    if (curvature > 1e-12 * inner(pair.y, pair.y)) {
      pair.rho = 1 / curvature;
      if (memory.size() == kMemory) memory.erase(memory.begin());
      memory.push_back(std::move(pair));
    }
    const double gain = value - next_value;
    x = next, gradient = next_gradient, value = next_value;
    if (gain < 1e-9 * (std::fabs(value) + 1)) break;
  }
  return value;
}

}  // namespace athanor::tune
