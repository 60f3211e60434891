// The end of a step of pipeline parallelism: the norm of all gradients, the update of this rank's parameters, what the ranks have to know of it.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "comm/transfers.h"
#include "kernels/dispatch.h"
#include "train/pipeline_loop.h"

namespace athanor {
namespace {

constexpr int kSharedChannel = 10;  // of weights that several stages use; those below are of activations

}  // namespace

// Where the update reads what was exchanged, and the pieces of the norm of all gradients.
void PipelineLoop::place_update() {
  std::vector<const float*> own;
  if (config_.update != nullptr) {
    for (const Port& port : config_.update->inputs()) {
      const void* pointer = port.name == "#loss" ? &batch_loss_ : nullptr;
      for (std::size_t e = 0; e < config_.tensors.size(); ++e) {
        for (std::size_t b = 0; b < config_.tensors[e].size(); ++b) {
          const std::vector<std::string>& names = config_.tensors[e][b];
          const auto found = std::find(names.begin(), names.end(), port.name);
          if (found == names.end()) continue;
          const float* tensor =
              config_.exchanges[e]->tensor(static_cast<int>(b), static_cast<int>(found - names.begin()));
          pointer = tensor;
        }
      }
      if (pointer == nullptr) {
        update_feeds_.push_back(make_feed(port, numbers_, *config_.dataset, 0, "the update"));
        pointer = update_feeds_.back().memory->data();
      }
      update_pointers_.push_back(pointer);
    }
  }
  if (config_.max_norm == 0) return;
  // The update's first inputs that are gradients come in the order of the optimizer: "#gradient0", "#gradient1", …
  std::vector<optim::Segment> segments;
  int next = 0;
  for (std::size_t i = 0; i < config_.sizes.size(); ++i) {
    optim::Segment segment{};
    segment.n = config_.sizes[i];
    if (config_.owners[i] == config_.pipeline->rank()) {
      const std::string name = "#gradient" + std::to_string(next++);
      for (std::size_t p = 0; p < update_pointers_.size(); ++p) {
        if (config_.update->inputs()[p].name == name) segment.grad = static_cast<const float*>(update_pointers_[p]);
      }
      check(segment.grad != nullptr, Code::internal, [&] { return "fit: the update lacks \"" + name + "\""; });
    }
    segments.push_back(segment);
  }
  norm_plan_.emplace(std::move(segments));
}

// In the pieces, and in the order of additions, of one process with all gradients (optim::grad_norm).
double PipelineLoop::norm(std::int64_t step) {
  const optim::OptimPlan& plan = *norm_plan_;
  const auto kernel = kernel_table().optim.sum_squares;
  std::vector<std::size_t> parameters;
  std::vector<int> chunks;
  std::vector<double> own;
  for (int chunk = 0; chunk < plan.chunks(); ++chunk) {
    plan.for_each_piece(chunk, [&](const optim::Segment& segment, Index offset, Index n) {
      parameters.push_back(static_cast<std::size_t>(&segment - plan.segments().data()));
      chunks.push_back(chunk);
      own.push_back(segment.grad == nullptr ? 0 : kernel(segment.grad + offset, nullptr, n));
    });
  }
  const std::size_t ranks = static_cast<std::size_t>(config_.pipeline->size());
  const std::size_t rank = static_cast<std::size_t>(config_.pipeline->rank());
  std::vector<std::vector<double>> all(ranks, std::vector<double>(own.size()));
  all[rank] = own;
  if (ranks > 1) {
    std::vector<comm::Piece> pieces;
    for (std::size_t r = 0; r < ranks; ++r)
      pieces.push_back({static_cast<int>(r), all[r].data(), static_cast<Index>(own.size() * sizeof(double))});
    config_.communicator->run(config_.pipeline,
                              {"all-gather", "the norm of the gradients", static_cast<Index>(own.size() * 8), step},
                              comm::all_gather(static_cast<int>(rank), pieces));
  }
  const auto squared = [&](bool of_parts) {
    std::vector<double> sums(static_cast<std::size_t>(plan.chunks()), 0.0);
    for (std::size_t i = 0; i < own.size(); ++i) {
      if ((config_.tensor != nullptr && config_.divided[parameters[i]]) != of_parts) continue;
      sums[static_cast<std::size_t>(chunks[i])] += all[static_cast<std::size_t>(config_.owners[parameters[i]])][i];
    }
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
  };
  const double whole = squared(false);
  return std::sqrt(config_.tensor == nullptr ? whole : norm_of_whole(whole, squared(true), step));
}

// Squares of parts add up over the ranks that have them; of what each of them has, those of the first count, so that all have the same bits.
double PipelineLoop::norm_of_whole(double whole, double parts, std::int64_t step) {
  const comm::Group& group = *config_.tensor;
  std::vector<std::array<double, 2>> all(static_cast<std::size_t>(group.size()));
  all[static_cast<std::size_t>(group.rank())] = {whole, parts};
  std::vector<comm::Piece> pieces;
  for (std::size_t r = 0; r < all.size(); ++r)
    pieces.push_back({static_cast<int>(r), all[r].data(), static_cast<Index>(sizeof(all[r]))});
  config_.communicator->run(config_.tensor, {"all-gather", "the norm of the gradients", 16, step},
                            comm::all_gather(group.rank(), pieces));
  double total = all[0][0];
  for (const auto& [_, of_parts] : all) total += of_parts;
  return total;
}

void PipelineLoop::update(const Batches& batches, Index step, LoopResult& result) {
  const auto number = static_cast<std::int64_t>(batches.request.first_step) + step;
  const comm::Agreement::Total total = agreement_.total();
  batch_loss_ = loss_of(config_.kind, total);
  if (config_.kind == LossKind::count) {
    for (std::size_t e = 0; e < config_.exchanges.size(); ++e) {
      if (!config_.holds_gradients[e]) continue;
      for (std::size_t b = 0; b < config_.exchanges[e]->buckets().size(); ++b)
        config_.exchanges[e]->scale(static_cast<int>(b), static_cast<float>(1 / total.weight), *threads_);
    }
  }
  double report[4] = {std::nan(""), 1, 1, 0};
  bool skips = !std::isfinite(batch_loss_);
  if (skips) report[2] = 0, report[3] = 1;
  if (norm_plan_ && !skips) {
    const double gradient_norm = norm(number);
    const double ratio = config_.max_norm / (gradient_norm + 1e-6);
    report[0] = gradient_norm;
    report[1] = ratio > 1 ? 1 : ratio;
    skips = !std::isfinite(gradient_norm);
    if (skips) report[2] = 0, report[3] = 1;
  }
  double fault = report[3];
  if (!skips && config_.update != nullptr) {
    if (config_.optimizer != nullptr && norm_plan_) config_.optimizer->set_grad_scale(report[1]);
    for (const ShardFeed& feed : update_feeds_) fill(feed, batches, step, {0, 0}, *config_.dataset, *threads_);
    double own[4] = {};
    void* results[] = {own};
    RunRequest run;
    run.feeds = update_pointers_;
    run.results = results;
    run.seed = batches.request.seed;
    run.step = batches.request.first_step + static_cast<std::uint64_t>(step);
    run.parallel = threads_.get();
    config_.update->run(run);
    fault = own[3];
  }
  report[3] = skips ? fault : agreed_fault(fault, number);
  if (!skips) share_weights(number);
  result.records.push_back(batch_loss_);
  result.records.insert(result.records.end(), report, report + 4);
  if (config_.kind == LossKind::count) result.records.push_back(total.weight);
  ++result.steps;
  result.guarded = report[3] != 0;
}

// An update that is not finite is known to the rank that made it; all of them report the first by the order of the whole optimizer.
double PipelineLoop::agreed_fault(double own, std::int64_t step) {
  if (own >= 2) {
    int nth = static_cast<int>(own) - 2;
    for (std::size_t i = 0; i < config_.owners.size(); ++i) {
      if (config_.owners[i] == config_.pipeline->rank() && nth-- == 0) own = 2 + static_cast<double>(i);
    }
  }
  const double first = first_fault(config_.pipeline, own, step);
  return config_.tensor == nullptr ? first : first_fault(config_.tensor, first, step);
}

// The least that is not 0 among the ranks of a group.
double PipelineLoop::first_fault(const std::shared_ptr<comm::Group>& group, double own, std::int64_t step) {
  if (group->size() == 1) return own;
  std::vector<double> all(static_cast<std::size_t>(group->size()), 0.0);
  all[static_cast<std::size_t>(group->rank())] = own;
  std::vector<comm::Piece> pieces;
  for (std::size_t r = 0; r < all.size(); ++r) pieces.push_back({static_cast<int>(r), &all[r], sizeof(double)});
  config_.communicator->run(group, {"all-gather", "reports of the update", 8, step},
                            comm::all_gather(group->rank(), pieces));
  double first = 0;
  for (const double fault : all) {
    if (fault != 0 && (first == 0 || fault < first)) first = fault;
  }
  return first;
}

void PipelineLoop::share_weights(std::int64_t step) {
  const int rank = config_.pipeline->rank();
  for (const SharedWeight& shared : config_.shared) {
    const bool gives = shared.from == rank;
    const bool takes = std::find(shared.to.begin(), shared.to.end(), rank) != shared.to.end();
    if (!gives && !takes) continue;
    const Index bytes = shared.variable->type().bytes();
    std::vector<std::byte> copy(static_cast<std::size_t>(bytes));
    std::vector<comm::Piece> sends, receives;
    if (gives) {
      shared.variable->read(copy.data());
      for (const int to : shared.to) sends.push_back({to, copy.data(), bytes});
    } else {
      receives.push_back({shared.from, copy.data(), bytes});
    }
    config_.communicator->wait(config_.communicator->start(
        config_.pipeline,
        {gives ? "send" : "receive", "the shared weight \"" + shared.variable->name() + "\"", bytes, step},
        comm::transfer(std::move(sends), std::move(receives)), nullptr, kSharedChannel));
    if (takes) shared.variable->write(copy.data());
  }
}

}  // namespace athanor
