#include "tune/cma_sampler.h"

#include <algorithm>
#include <deque>
#include <list>
#include <mutex>
#include <numeric>

namespace athanor::tune {
namespace {

constexpr int kDraws = 16;
constexpr std::size_t kPast = 3;        // earlier states from which a trial may have been drawn
constexpr std::size_t kRemembered = 8;  // studies whose strategy is kept from one question to the next

struct Replay {
  Cma now;
  std::deque<Cma> past;
  std::vector<int> generation;  // trials that were not told yet
  std::vector<Reals> drawn;     // where they were
  int seen = 0;                 // trials of the history
};

std::vector<int> numeric_dimensions(const Dimensions& dims) {
  std::vector<int> numeric;
  for (std::size_t j = 0; j < dims.size(); ++j) {
    const bool varies =
        dims[j].kind == Dimension::Kind::real || (dims[j].kind == Dimension::Kind::grid && dims[j].levels > 1);
    if (varies && dims[j].conditions.empty()) numeric.push_back(static_cast<int>(j));
  }
  return numeric;
}

class Strategy {
 public:
  Strategy(const SearchRequest& request, std::vector<int> numeric) : request_(request), numeric_(std::move(numeric)) {}

  void advance(Replay& replay) const {
    for (; replay.seen < request_.trials.rows; ++replay.seen) {
      const double* row = request_.trials.row(replay.seen);
      if (std::any_of(numeric_.begin(), numeric_.end(), [&](int j) { return std::isnan(row[j]); })) continue;
      replay.drawn.push_back(position_of(replay, row));
      replay.generation.push_back(replay.seen);
      if (static_cast<int>(replay.generation.size()) >= replay.now.population()) tell(replay);
    }
  }

  std::vector<double> candidates(const Cma& cma) const {
    std::vector<double> rows;
    for (int attempt = 0; attempt < kDraws; ++attempt) {
      const Reals x = cma.draw(request_.draws(Stream::cma), attempt);
      Reals row(request_.dims.size(), kAbsent);
      for (std::size_t i = 0; i < numeric_.size(); ++i)
        row[static_cast<std::size_t>(numeric_[i])] = settled(dim(i), x[i]);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    return rows;
  }

  std::vector<int> levels() const {
    std::vector<int> levels;
    for (std::size_t i = 0; i < numeric_.size(); ++i)
      levels.push_back(dim(i).kind == Dimension::Kind::grid ? dim(i).levels : 0);
    return levels;
  }

 private:
  const Dimension& dim(std::size_t i) const { return request_.dims[static_cast<std::size_t>(numeric_[i])]; }

  bool is_at(const Reals& x, const double* row) const {
    for (std::size_t i = 0; i < numeric_.size(); ++i)
      if (std::fabs(settled(dim(i), x[i]) - row[numeric_[i]]) > 1e-9) return false;
    return true;
  }

  // Where a trial was before its integers were rounded: the draws of its number are repeated in the state of today and those
  // before. Trials from elsewhere are where their parameters say.
  Reals position_of(const Replay& replay, const double* row) const {
    const bool rounded = std::any_of(numeric_.begin(), numeric_.end(), [&](int j) {
      return request_.dims[static_cast<std::size_t>(j)].kind == Dimension::Kind::grid;
    });
    // A trial's number is its place in a history without gaps; where there are gaps it is not found, which costs little.
    const Draws draws{request_.seed, static_cast<std::uint32_t>(replay.seen), Stream::cma};
    if (rounded) {
      Reals x = replay.now.draw(draws, 0);
      if (is_at(x, row)) return x;
      for (const Cma& state : replay.past)
        if (x = state.draw(draws, 0); is_at(x, row)) return x;
    }
    Reals x;
    for (const int j : numeric_) x.push_back(row[j]);
    return x;
  }

  void tell(Replay& replay) const {
    const Standing& standing = request_.standing;
    std::vector<std::size_t> order(replay.generation.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto trial = [&](std::size_t k) { return replay.generation[k]; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      const int i = trial(a), k = trial(b);
      if (standing.tiers[i] != standing.tiers[k]) return standing.tiers[i] < standing.tiers[k];
      return standing.keys.at(i, 0) < standing.keys.at(k, 0);
    });
    std::vector<CmaTrial> generation;
    for (const std::size_t k : order) {
      const bool complete = standing.tiers[trial(k)] == Standing::complete;
      generation.push_back({replay.drawn[k], complete ? standing.keys.at(trial(k), 0) : 1e300});
    }
    replay.past.push_front(replay.now);
    if (replay.past.size() > kPast) replay.past.pop_back();
    replay.now.tell(generation);
    replay.generation.clear(), replay.drawn.clear();
  }

  const SearchRequest& request_;
  std::vector<int> numeric_;
};

// FNV-1a over numbers.
class Hash {
 public:
  void add(const double* values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t bits;
      static_assert(sizeof bits == sizeof values[i]);
      std::copy_n(reinterpret_cast<const unsigned char*>(&values[i]), sizeof bits,
                  reinterpret_cast<unsigned char*>(&bits));
      value_ = (value_ ^ bits) * 0x100000001b3u;
      value_ ^= value_ >> 29;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

// What a strategy was made of, and the first `trials` trials that it was told.
std::uint64_t fingerprint(const SearchRequest& request, const CmaOptions& options, int trials) {
  Hash hash;
  const double head[] = {static_cast<double>(request.seed), static_cast<double>(options.population), options.sigma,
                         static_cast<double>(options.separable), static_cast<double>(options.restarts)};
  hash.add(head, 5);
  for (const Dimension& dim : request.dims) {
    const double own[] = {static_cast<double>(dim.kind), static_cast<double>(dim.levels),
                          static_cast<double>(dim.conditions.size())};
    hash.add(own, 3);
  }
  const auto n = static_cast<std::size_t>(trials);
  hash.add(request.trials.data, n * request.dims.size());
  hash.add(request.standing.tiers, n);
  hash.add(request.standing.keys.data, n * static_cast<std::size_t>(request.standing.keys.width));
  return hash.value();
}

// Strategies of the last studies, so that a question does not begin at the first trial again.
class Memory {
 public:
  // Hands out the strategy that was told a beginning of this history.
  bool take(const SearchRequest& request, const CmaOptions& options, Replay& replay) {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      const int seen = entry->replay.seen;
      if (seen > request.trials.rows || entry->hash != fingerprint(request, options, seen)) continue;
      replay = std::move(entry->replay);
      entries_.erase(entry);
      return true;
    }
    return false;
  }
  void keep(const SearchRequest& request, const CmaOptions& options, Replay replay) {
    const std::uint64_t hash = fingerprint(request, options, replay.seen);
    const std::lock_guard lock(mutex_);
    entries_.push_front({hash, std::move(replay)});
    if (entries_.size() > kRemembered) entries_.pop_back();
  }

 private:
  struct Entry {
    std::uint64_t hash;
    Replay replay;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;
};

Memory& memory() {
  static Memory only;
  return only;
}

}  // namespace

std::vector<double> cma_candidates(const SearchRequest& request, const CmaOptions& options) {
  std::vector<int> numeric = numeric_dimensions(request.dims);
  if (numeric.empty()) return {};
  const Strategy strategy(request, std::move(numeric));
  Replay replay{Cma(strategy.levels(), options, request.seed), {}, {}, {}, 0};
  memory().take(request, options, replay);
  strategy.advance(replay);
  std::vector<double> rows = strategy.candidates(replay.now);
  memory().keep(request, options, std::move(replay));
  return rows;
}

}  // namespace athanor::tune
