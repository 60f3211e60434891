#include "ops/effects/state_parts.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "comm/transfers.h"
#include "kernels/dispatch.h"

namespace athanor {
namespace {

constexpr Index kAlign = 16;  // elements: as in GradientExchange
// Of a step that gathers parameters while gradients are under way, which ranks may come to in another order (train/pipeline_update.cc and
// the bindings have those above).
constexpr int kGatherChannel = 9;

// A piece of a chunk of the plan, and who sums it: the rank that has its first element.
struct NormPiece {
  int chunk;
  int variable;
  const float* gradient;
  const std::uint8_t* mask;
  Index offset, count;
  int owner;
};

// What has to live until the messages have arrived, whatever becomes of the run meanwhile.
struct NormMessages {
  std::vector<std::vector<float>> gathered;  // of pieces of which other ranks have elements
  std::vector<std::vector<double>> sums;     // by rank
};

}  // namespace

StateParts::StateParts(std::shared_ptr<RankGroup> group, const std::vector<Index>& sizes,
                       std::vector<std::vector<int>> buckets)
    : group_(std::move(group)), sizes_(sizes), begin_(sizes.size(), -1), bucket_of_(sizes.size(), 0) {
  Index at = 0;
  for (std::size_t b = 0; b < buckets.size(); ++b) {
    bucket_begin_.push_back(at);
    for (const int variable : buckets[b]) {
      const std::size_t v = static_cast<std::size_t>(variable);
      check(variable >= 0 && v < sizes.size() && begin_[v] < 0, Code::argument, [&] {
        return "optim: the buckets name parameter " + std::to_string(variable) + " twice, or there is none";
      });
      begin_[v] = at;
      bucket_of_[v] = static_cast<int>(b);
      at += (sizes[v] + kAlign - 1) / kAlign * kAlign;
    }
  }
  bucket_begin_.push_back(at);
  check(std::count(begin_.begin(), begin_.end(), -1) == 0, Code::argument,
        [] { return "optim: the buckets leave out a parameter"; });
}

comm::ElementRange StateParts::bucket(int number) const {
  const std::size_t b = static_cast<std::size_t>(number);
  return {bucket_begin_[b], bucket_begin_[b + 1]};
}

comm::ElementRange StateParts::run(int rank, int number) const {
  const comm::ElementRange all = bucket(number);
  const comm::ElementRange within = comm::segment_of(all.end - all.begin, rank, group_->size());
  return {all.begin + within.begin, all.begin + within.end};
}

comm::ElementRange StateParts::range(int rank, int variable) const {
  const std::size_t v = static_cast<std::size_t>(variable);
  const comm::ElementRange all = run(rank, bucket_of(variable));
  const auto within = [&](Index place) { return std::clamp(place - begin_[v], Index{0}, sizes_[v]); };
  return {within(all.begin), within(all.end)};
}

int StateParts::rank_at(int variable, Index element) const {
  for (int rank = 0; rank < group_->size(); ++rank) {
    if (element < range(rank, variable).end) return rank;
  }
  return group_->size() - 1;
}

double StateParts::squared_norm(const optim::OptimPlan& plan, const std::vector<int>& variables, std::int64_t step,
                                Parallel& parallel) const {
  std::vector<NormPiece> pieces;
  for (int chunk = 0; chunk < plan.chunks(); ++chunk) {
    plan.for_each_piece(chunk, [&](const optim::Segment& segment, Index offset, Index n) {
      const int variable = variables[static_cast<std::size_t>(&segment - plan.segments().data())];
      pieces.push_back({chunk, variable, segment.grad, segment.mask, offset, n, rank_at(variable, offset)});
    });
  }
  const int rank = group_->rank(), size = group_->size();
  comm::Communicator& communicator = group_->communicator();
  auto messages = std::make_shared<NormMessages>();
  messages->gathered.resize(pieces.size());
  messages->sums.resize(static_cast<std::size_t>(size));
  // Where runs end within a piece, its owner gets the rest of it.
  std::vector<comm::Piece> sends, receives;
  Index bytes = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const NormPiece& piece = pieces[i];
    for (int other = piece.owner; other < size; ++other) {
      const comm::ElementRange run = range(other, piece.variable);
      const Index begin = std::max(run.begin, piece.offset), end = std::min(run.end, piece.offset + piece.count);
      if (begin >= end || (rank != piece.owner && rank != other)) continue;
      const Index own = (end - begin) * static_cast<Index>(sizeof(float));
      if (rank == piece.owner && begin == piece.offset && end == piece.offset + piece.count) continue;
      if (rank != piece.owner) {
        sends.push_back({piece.owner, const_cast<float*>(piece.gradient + begin), own});
        bytes += own;
        continue;
      }
      messages->gathered[i].resize(static_cast<std::size_t>(piece.count));
      float* to = messages->gathered[i].data() + (begin - piece.offset);
      if (other == rank) {
        std::memcpy(to, piece.gradient + begin, static_cast<std::size_t>(own));
      } else {
        receives.push_back({other, to, own});
      }
    }
  }
  // Tagged by the group's own order, which all of its ranks keep: also those that have nothing to send.
  communicator.wait(communicator.start(group_->group(), {"send", "gradients for their norm", bytes, step},
                                       comm::transfer(std::move(sends), std::move(receives)), messages));
  std::vector<std::size_t> mine;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    messages->sums[static_cast<std::size_t>(pieces[i].owner)].push_back(0);
    if (pieces[i].owner == rank) mine.push_back(i);
  }
  const auto kernel = kernel_table().optim.sum_squares;
  std::vector<double>& own = messages->sums[static_cast<std::size_t>(rank)];
  parallel.run(static_cast<int>(mine.size()), [&](int task, int) {
    const std::size_t i = mine[static_cast<std::size_t>(task)];
    const NormPiece& piece = pieces[i];
    const float* x = messages->gathered[i].empty() ? piece.gradient + piece.offset : messages->gathered[i].data();
    own[static_cast<std::size_t>(task)] =
        kernel(x, piece.mask == nullptr ? nullptr : piece.mask + piece.offset, piece.count);
  });
  std::vector<comm::Piece> told;
  for (int r = 0; r < size; ++r) {
    std::vector<double>& sums = messages->sums[static_cast<std::size_t>(r)];
    told.push_back({r, sums.data(), static_cast<Index>(sums.size() * sizeof(double))});
  }
  communicator.wait(communicator.start(
      group_->group(),
      {"all-gather", "the norm of the gradients", static_cast<Index>(own.size() * sizeof(double)), step},
      comm::all_gather(rank, told), messages));
  std::vector<std::size_t> next(static_cast<std::size_t>(size), 0);
  std::vector<double> chunks(static_cast<std::size_t>(plan.chunks()), 0.0);
  for (const NormPiece& piece : pieces) {
    const std::size_t owner = static_cast<std::size_t>(piece.owner);
    chunks[static_cast<std::size_t>(piece.chunk)] += messages->sums[owner][next[owner]++];
  }
  double total = 0;
  for (const double sum : chunks) total += sum;
  return total;
}

Index StateParts::first_of_all(Index own, std::int64_t step) const {
  auto all = std::make_shared<std::vector<Index>>(static_cast<std::size_t>(group_->size()), Index{-1});
  (*all)[static_cast<std::size_t>(group_->rank())] = own;
  std::vector<comm::Piece> pieces;
  for (std::size_t r = 0; r < all->size(); ++r)
    pieces.push_back({static_cast<int>(r), &(*all)[r], static_cast<Index>(sizeof(Index))});
  comm::Communicator& communicator = group_->communicator();
  communicator.wait(communicator.start(group_->group(),
                                       {"all-gather", "reports of the update", static_cast<Index>(sizeof(Index)), step},
                                       comm::all_gather(group_->rank(), pieces), all));
  Index first = -1;
  for (const Index each : *all) {
    if (each >= 0 && (first < 0 || each < first)) first = each;
  }
  return first;
}

comm::Communicator::Ticket StateParts::start_gather(int number, const std::shared_ptr<Arena>& arena,
                                                    std::int64_t step) const {
  float* values = reinterpret_cast<float*>(arena->buffer.host());
  std::vector<comm::Piece> pieces;
  for (int rank = 0; rank < group_->size(); ++rank) {
    const comm::ElementRange own = run(rank, number);
    pieces.push_back({rank, values + own.begin, (own.end - own.begin) * Index{sizeof(float)}});
  }
  const comm::ElementRange all = bucket(number);
  return group_->communicator().start(group_->group(),
                                      {"all-gather", "bucket " + std::to_string(number) + " of the parameters",
                                       (all.end - all.begin) * Index{sizeof(float)}, step},
                                      comm::all_gather(group_->rank(), pieces), arena, kGatherChannel);
}

void StateParts::gather(const std::shared_ptr<Arena>& arena, std::int64_t step) const {
  std::vector<comm::Communicator::Ticket> tickets;
  for (int number = 0; number < buckets(); ++number) tickets.push_back(start_gather(number, arena, step));
  for (const auto& ticket : tickets) group_->communicator().wait(ticket);
}

}  // namespace athanor
