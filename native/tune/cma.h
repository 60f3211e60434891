// The covariance matrix adaptation evolution strategy (Hansen, arXiv 1604.00772) with negative weights; its separable form (Ros and
// Hansen 2008); the margin that keeps integers from getting stuck (Hamano et al., arXiv 2205.13482); restarts with larger populations
// (IPOP: Auger and Hansen 2005) or with large and small ones in turn (BIPOP: Hansen 2009).
#pragma once
#include <cstdint>
#include <vector>

#include "tune/numerics/linalg.h"
#include "tune/random.h"
#include "tune/space.h"

namespace athanor::tune {

enum class Restarts { none, ipop, bipop };

struct CmaOptions {
  int population = 0;      // 0: 4 + ⌊3 ln d⌋
  double sigma = 1.0 / 6;  // of the unit cube
  bool separable = false;
  Restarts restarts = Restarts::ipop;
};

// One trial of a generation: where it was, as drawn if that is known, and its place among the others.
struct CmaTrial {
  Reals x;
  double value;  // for the criteria of a stop; infinite where there is none
};

class Cma {
 public:
  // `levels`: of each dimension, 0 for a real one.
  Cma(std::vector<int> levels, const CmaOptions& options, std::uint64_t seed);

  int population() const { return lambda_; }

  // A point as drawn, before integers are rounded; reals are in [0, 1]. Another `attempt` gives another point.
  Reals draw(const Draws& draws, int attempt) const;

  // The next state, from `population()` trials, the best first.
  void tell(const std::vector<CmaTrial>& generation);

 private:
  void begin(int lambda, double sigma, Reals mean);
  void weigh();
  void decompose();
  void correct_margin(int j);
  bool is_done() const;
  void restart();
  std::size_t at(int i, int j) const { return static_cast<std::size_t>(i * d_ + j); }

  std::vector<int> levels_;
  CmaOptions options_;
  std::uint64_t seed_;
  int d_, lambda_ = 0, mu_ = 0;
  double mueff_ = 0, c1_ = 0, cmu_ = 0, cc_ = 0, cs_ = 0, damping_ = 0, chi_ = 0;
  Reals weights_;
  double sigma_ = 0, first_sigma_ = 0;
  Reals mean_, pc_, ps_, c_, b_, scales_,
      margin_;  // C = B diag(scales²) Bᵀ; of the separable form C is its diagonal, B the identity
  int generation_ = 0, decomposed_ = 0, restarts_ = 0, first_lambda_ = 0;
  long evaluations_ = 0, large_ = 0, small_ = 0;
  bool is_small_ = false;
  Reals bests_;
};

}  // namespace athanor::tune
