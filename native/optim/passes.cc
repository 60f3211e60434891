#include "optim/passes.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/dispatch.h"
#include "optim/matrix.h"

namespace athanor::optim {
namespace {

constexpr Index kLine = 64;

Index lines(Index bytes) { return (bytes + kLine - 1) / kLine * kLine; }

bool is_factored(RuleId rule, const Segment& segment) {
  return segment.extents.matrix && pass_rule(rule)->factors != nullptr;
}

// The state slot of that form, null where the rule has none.
float* state_of(RuleId rule, const Segment& segment, StateForm form) {
  const auto& states = info(rule).states;
  for (std::size_t k = 0; k < states.size(); ++k)
    if (states[k].form == form) return static_cast<float*>(segment.state[k]);
  return nullptr;
}

Index rows_of(const Extents& x) { return x.batch * x.rows; }

}  // namespace

PassLayout::PassLayout(const OptimPlan& plan) {
  const RuleId rule = plan.rule();
  const Index count = Index(plan.segments().size());
  Index rows = 0, columns = 0, scratch_floats = 0;
  for (const Segment& segment : plan.segments()) {
    first_row.push_back(rows);
    if (is_factored(rule, segment)) rows += rows_of(segment.extents);
    const bool works = segment.extents.matrix && segment.n > 0 && has_matrix_work(rule);
    scratch.push_back(works ? scratch_floats : -1);
    if (!works) continue;
    scratch_floats += lines(segment.n * Index(sizeof(float))) / Index(sizeof(float));
  }
  of_segment.assign(static_cast<std::size_t>(count) + 1, 0);
  for (int chunk = 0; chunk < plan.chunks(); ++chunk) {
    of_chunk.push_back(Index(pieces.size()));
    plan.for_each_piece(chunk, [&](const Segment& s, Index offset, Index n) {
      const Index segment = &s - plan.segments().data();
      pieces.push_back({segment, offset, n, columns});
      ++of_segment[static_cast<std::size_t>(segment) + 1];
      if (!is_factored(rule, s)) return;
      const Extents& x = s.extents;
      columns += ((offset + n - 1) / (x.rows * x.columns) - offset / (x.rows * x.columns) + 1) * x.columns;
    });
  }
  of_chunk.push_back(Index(pieces.size()));
  for (std::size_t s = 0; s < static_cast<std::size_t>(count); ++s) of_segment[s + 1] += of_segment[s];
  Index at = 0;
  const auto place = [&](Index& where, Index size) { where = at, at += lines(size); };
  place(sums, Index(pieces.size()) * kMaxSums * Index(sizeof(double)));
  place(row_squares, rows * Index(sizeof(double)));
  place(row_factors, rows * Index(sizeof(float)));
  place(column_squares, columns * Index(sizeof(float)));
  place(scalars, count * kMaxScalars * Index(sizeof(float)));
  place(broken, count);
  place(scratches, scratch_floats * Index(sizeof(float)));
  matrix = at;
}

Index pass_workspace(const OptimPlan& plan, int workers) {
  Index most = 0;
  for (std::size_t s = 0; s < plan.segments().size(); ++s) {
    if (plan.layout()->scratch[s] >= 0)
      most = std::max(most, matrix_workspace(plan.rule(), plan.segments()[s].extents, workers));
  }
  return plan.layout()->matrix + most;
}

namespace {

class PassRun {
 public:
  PassRun(const OptimPlan& plan, std::span<const Group> groups, Scaling scaling, void* workspace, Parallel& parallel)
      : plan_(plan),
        groups_(groups),
        scaling_(scaling),
        base_(static_cast<std::byte*>(workspace)),
        parallel_(parallel),
        rule_(*pass_rule(plan.rule())),
        layout_(*plan.layout()) {}

  Index run() {
    const std::size_t count = plan_.segments().size();
    std::fill_n(at<std::uint8_t>(layout_.broken), count, std::uint8_t{0});
    for (std::size_t s = 0; s < count; ++s) {
      const Segment& segment = plan_.segments()[s];
      float* scalars = scalars_of(s);
      std::copy_n(group_of(s).scalars, kMaxScalars, scalars);
      if (rule_.fit != nullptr) rule_.fit(variant_of(s), segment.extents, scalars);
      if (rule_.begin != nullptr) rule_.begin(state_of(plan_.rule(), segment, StateForm::numbers), scalars);
    }
    for (int pass = 0; pass < kMaxPasses; ++pass) {
      bool any = false;
      for (std::size_t s = 0; s < count && !any; ++s) any = traffic_of(s, pass).any();
      if (!any) break;
      parallel_.run(plan_.chunks(), [&](int task, int) {
        // Backwards after the first, with what the worker's caches still hold.
        const int chunk = pass % 2 == 0 ? task : mirrored(task, plan_.chunks(), parallel_.workers());
        for (Index p = layout_.of_chunk[chunk]; p < layout_.of_chunk[chunk + 1]; ++p) pass_over(p, pass);
      });
      parallel_.run(int(count), [&](int s, int) { settle(std::size_t(s), pass); });
      for (std::size_t s = 0; s < count; ++s) work_on(s, pass);
      if (pass == 0 && rule_.together != nullptr && !gather()) break;
    }
    for (std::size_t s = 0; s < count; ++s)
      if (is_broken(s)) return Index(s);
    return -1;
  }

 private:
  template <class T>
  T* at(Index offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  const Group& group_of(std::size_t s) const { return groups_[plan_.segments()[s].group]; }
  int variant_of(std::size_t s) const { return group_of(s).variant[plan_.segments()[s].extents.matrix]; }
  Traffic traffic_of(std::size_t s, int pass) const { return rule_.traffic(variant_of(s), pass); }
  float* scalars_of(std::size_t s) const { return at<float>(layout_.scalars) + Index(s) * kMaxScalars; }
  float* scratch_of(std::size_t s) const {
    return layout_.scratch[s] < 0 ? nullptr : at<float>(layout_.scratches) + layout_.scratch[s];
  }
  bool is_broken(std::size_t s) const {
    return std::atomic_ref(at<std::uint8_t>(layout_.broken)[s]).load(std::memory_order_relaxed) != 0;
  }
  void set_broken(std::size_t s) const {
    std::atomic_ref(at<std::uint8_t>(layout_.broken)[s]).store(1, std::memory_order_relaxed);
  }

  // Whether pieces of a segment go on does not depend on who is first: a pass of a broken segment is finished, the next not begun.
  void pass_over(Index p, int pass) const {
    const Piece& piece = layout_.pieces[static_cast<std::size_t>(p)];
    const auto s = static_cast<std::size_t>(piece.segment);
    const Traffic traffic = traffic_of(s, pass);
    if (!traffic.any() || (pass > 0 && settled_broken_at(s))) return;
    const Segment& segment = plan_.segments()[s];
    kernels::OptimPass run;
    fill_run(run, segment, scalars_of(s), piece.offset, piece.n);
    run.multiplier = scaling_.multiplier * group_of(s).sign;
    run.clip_value = scaling_.clip_value;
    run.sums = at<double>(layout_.sums) + p * kMaxSums;
    if (float* scratch = scratch_of(s)) run.scratch = scratch + piece.offset;
    if (traffic.squares || traffic.factored) fill_rows(run, piece, traffic);
    const auto kernel = kernel_table().optim.pass(int(plan_.rule()), variant_of(s), pass);
    if (!kernel(run)) set_broken(s);
  }

  // A segment that broke in an earlier pass; its mark is 2 by then.
  bool settled_broken_at(std::size_t s) const {
    return std::atomic_ref(at<std::uint8_t>(layout_.broken)[s]).load(std::memory_order_relaxed) == 2;
  }

  void fill_rows(kernels::OptimPass& run, const Piece& piece, const Traffic& traffic) const {
    const auto s = static_cast<std::size_t>(piece.segment);
    const Segment& segment = plan_.segments()[s];
    const Extents& x = segment.extents;
    run.width = x.columns;
    run.rows = x.rows;
    run.first_row = piece.offset / x.columns;
    run.row = at<float>(layout_.row_factors) + layout_.first_row[s];
    run.column = state_of(plan_.rule(), segment, StateForm::columns);
    run.row_squares = at<double>(layout_.row_squares) + layout_.first_row[s];
    run.column_squares = at<float>(layout_.column_squares) + piece.column_squares;
    if (traffic.squares) std::fill_n(run.column_squares, matrices_of(piece, x) * x.columns, 0.0f);
  }

  static Index matrices_of(const Piece& piece, const Extents& x) {
    const Index size = x.rows * x.columns;
    return (piece.offset + piece.n - 1) / size - piece.offset / size + 1;
  }

  // Between two passes: what the sums of segment s come to.
  void settle(std::size_t s, int pass) const {
    const Segment& segment = plan_.segments()[s];
    const Traffic traffic = traffic_of(s, pass);
    if (segment.n == 0 || !traffic.any()) return;
    double sums[kMaxSums] = {};
    if (traffic.sums > 0) total(s, sums);
    bool good = !is_broken(s);
    for (int k = 0; k < traffic.sums; ++k) good = good && std::isfinite(sums[k]);
    if (!good || (traffic.squares && !update_factors(s))) {
      at<std::uint8_t>(layout_.broken)[s] = 2;
      return;
    }
    rule_.after(variant_of(s), pass, segment.n, sums, scalars_of(s));
  }

  void total(std::size_t s, double (&sums)[kMaxSums]) const {
    for (Index p = layout_.of_segment[s]; p < layout_.of_segment[s + 1]; ++p)
      for (int k = 0; k < kMaxSums; ++k) sums[k] += at<double>(layout_.sums)[p * kMaxSums + k];
  }

  // The sums of all tensors, for rules that need them; false, and no tensor moves, where one is broken.
  bool gather() const {
    const std::size_t count = plan_.segments().size();
    double sums[kMaxSums] = {};
    for (std::size_t s = 0; s < count; ++s) {
      if (is_broken(s)) return false;
      total(s, sums);
    }
    for (std::size_t s = 0; s < count; ++s)
      rule_.together(sums, state_of(plan_.rule(), plan_.segments()[s], StateForm::numbers), scalars_of(s));
    return true;
  }

  void work_on(std::size_t s, int pass) const {
    if (!traffic_of(s, pass).leaves || is_broken(s) || plan_.segments()[s].n == 0) return;
    double sums[kMaxSums] = {};
    total(s, sums);
    work_on_matrix(
        plan_.rule(),
        {variant_of(s), plan_.segments()[s].extents, scalars_of(s), sums, scratch_of(s), at<std::byte>(layout_.matrix)},
        parallel_);
  }

  // Moves the decayed means of rows and columns; false, and nothing moved, where a sum is not finite.
  bool update_factors(std::size_t s) const {
    const Segment& segment = plan_.segments()[s];
    const Extents& x = segment.extents;
    const auto [weight, least] = rule_.factors(scalars_of(s));
    const double* squares = at<double>(layout_.row_squares) + layout_.first_row[s];
    // Every square is in a row's sum, and a sum of a column is at most one of a row more than f32 holds.
    double all = 0;
    for (Index r = 0; r < rows_of(x); ++r) all += squares[r];
    if (!(all <= double(std::numeric_limits<float>::max()))) return false;
    float* row_means = state_of(plan_.rule(), segment, StateForm::rows);
    float* factors = at<float>(layout_.row_factors) + layout_.first_row[s];
    for (Index m = 0; m < x.batch; ++m) {
      double mean = 0;
      for (Index r = m * x.rows; r < (m + 1) * x.rows; ++r) {
        const double was = row_means[r];
        row_means[r] = float(was + double(weight) * (squares[r] / double(x.columns) - was));
        mean += row_means[r];
      }
      mean = std::max(mean / double(x.rows), double(least));
      for (Index r = m * x.rows; r < (m + 1) * x.rows; ++r) factors[r] = float(row_means[r] / mean);
    }
    update_column_means(s, weight);
    return true;
  }

  void update_column_means(std::size_t s, float weight) const {
    const Segment& segment = plan_.segments()[s];
    const Extents& x = segment.extents;
    float* means = state_of(plan_.rule(), segment, StateForm::columns);
    // The sums of all pieces of a matrix, added up in the memory of the first.
    for (Index p = layout_.of_segment[s]; p < layout_.of_segment[s + 1]; ++p) {
      const Piece& first = layout_.pieces[static_cast<std::size_t>(p)];
      const Index size = x.rows * x.columns, matrices = matrices_of(first, x);
      float* sums = at<float>(layout_.column_squares) + first.column_squares;
      for (Index i = 0; i < matrices; ++i) {
        const Index m = first.offset / size + i;
        if (m * size < first.offset) continue;  // begun in an earlier piece, which took this part
        float* own = sums + i * x.columns;
        for (Index q = p + 1; q < layout_.of_segment[s + 1]; ++q) {
          const Piece& next = layout_.pieces[static_cast<std::size_t>(q)];
          if (next.offset / size > m) break;
          const float* more = at<float>(layout_.column_squares) + next.column_squares;
          for (Index c = 0; c < x.columns; ++c) own[c] += more[c];
        }
        for (Index c = 0; c < x.columns; ++c) {
          const float now = own[c] / float(x.rows);
          float& mean = means[m * x.columns + c];
          mean += weight * (now - mean);
        }
      }
    }
  }

  const OptimPlan& plan_;
  std::span<const Group> groups_;
  Scaling scaling_;
  std::byte* base_;
  Parallel& parallel_;
  const PassRule& rule_;
  const PassLayout& layout_;
};

}  // namespace

Index update_in_passes(const OptimPlan& plan, std::span<const Group> groups, Scaling scaling, void* workspace,
                       Parallel& parallel) {
  return PassRun(plan, groups, scaling, workspace, parallel).run();
}

}  // namespace athanor::optim
