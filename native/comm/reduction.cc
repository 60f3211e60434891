#include "comm/reduction.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace athanor::comm {
namespace {

constexpr Index kChunkBytes = Index{1} << 18;
constexpr Index kAlign = 16;  // elements: segments begin on cache lines

template <class T, class Combine>
void combine_as(void* y, const void* a, const void* b, Index n, Combine combine) {
  T* to = static_cast<T*>(y);
  const T* x = static_cast<const T*>(a);
  const T* z = static_cast<const T*>(b);
  for (Index i = 0; i < n; ++i) to[i] = combine(x[i], z[i]);
}

template <class T>
void combine(Reduce reduce, void* y, const void* a, const void* b, Index n) {
  switch (reduce) {
    case Reduce::sum: return combine_as<T>(y, a, b, n, [](T x, T z) { return static_cast<T>(x + z); });
    // NaN goes through, whichever side it is on.
    case Reduce::max: return combine_as<T>(y, a, b, n, [](T x, T z) { return x > z || x != x ? x : z; });
    case Reduce::min: return combine_as<T>(y, a, b, n, [](T x, T z) { return x < z || x != x ? x : z; });
  }
}

class Reduction final : public Operation {
 public:
  Reduction(const ReductionPlan& plan, int rank, ReductionData data, std::byte* staging)
      : plan_(plan), data_(std::move(data)), rank_(rank), element_(size_of(plan.dtype)) {
    const int size = static_cast<int>(plan.partials.size());
    for (int r = 0; data_.bounds.empty() && r < size; ++r) segments_.push_back(segment_of(data_.elements, r, size));
    for (std::size_t r = 0; r + 1 < data_.bounds.size(); ++r)
      segments_.push_back({data_.bounds[r], data_.bounds[r + 1]});
    segment_ = segments_[static_cast<std::size_t>(rank)];
    chunk_ = kChunkBytes / element_;
    std::vector<ShardBlock> blocks;
    for (int r = 0; r < size; ++r) {
      for (std::size_t k = 0; k < plan.partials[r].size(); ++k) {
        blocks.push_back(plan.partials[r][k]);
        if (r == rank_) {
          values_.push_back(static_cast<std::byte*>(data_.own[k]) + segment_.begin * element_);
        } else {
          values_.push_back(staging);
          staging += (segment_.end - segment_.begin) * element_;
        }
      }
    }
    additions_ = additions_of(plan.shards, blocks);
  }

  bool advance(Port& port) override {
    if (!begun_) begin(port);
    waits_for_ = -1;
    bool done = true;
    Index ready = chunks_of(segment_);
    for (Peer& peer : peers_) {
      drain(port, peer.received, peer.received_count);
      ready = std::min(ready, peer.partials == 0 ? ready : static_cast<Index>(peer.received_count) / peer.partials);
      // A chunk of the result may be received where its parts were sent from, once they are sent.
      const std::size_t before = peer.sent_count / own_partials_;
      drain(port, peer.sent, peer.sent_count);
      if (data_.gather) {
        for (std::size_t c = before; c < peer.sent_count / own_partials_; ++c) receive_result(port, peer, c);
      }
    }
    for (; summed_ < ready; ++summed_) sum_chunk(port, summed_);
    for (Peer& peer : peers_) {
      drain(port, peer.results, peer.results_count);
      drain(port, peer.gathered, peer.gathered_count);
      const bool complete =
          peer.received_count == peer.received.size() && peer.sent_count == peer.sent.size() &&
          (!data_.gather || (peer.results_count == static_cast<std::size_t>(chunks_of(segment_)) &&
                             peer.gathered_count == static_cast<std::size_t>(chunks_of(peer.segment))));
      if (complete) continue;
      done = false;
      if (waits_for_ < 0 || peer.received_count < peer.received.size()) waits_for_ = peer.rank;
    }
    return done && summed_ == chunks_of(segment_);
  }

  int waits_for() const override { return waits_for_; }

 private:
  struct Peer {
    int rank;
    Index partials;
    ElementRange segment;
    std::vector<Message> sent, received;     // parts, chunk by chunk
    std::vector<Message> results, gathered;  // sums, chunk by chunk
    std::size_t sent_count = 0, received_count = 0, results_count = 0, gathered_count = 0;
  };

  static void drain(Port& port, std::vector<Message>& messages, std::size_t& count) {
    while (count < messages.size() && port.test(messages[count])) ++count;
  }

  Index chunks_of(ElementRange range) const { return (range.end - range.begin + chunk_ - 1) / chunk_; }

  // Element range of chunk c of a segment, counted from the segment's begin.
  ElementRange piece(ElementRange range, Index c) const {
    return {c * chunk_, std::min((c + 1) * chunk_, range.end - range.begin)};
  }

  void begin(Port& port) {
    begun_ = true;
    own_partials_ = data_.own.size();
    std::size_t value = 0;
    for (int r = 0; r < port.size(); ++r) {
      const std::size_t partials = plan_.partials[r].size();
      const std::size_t first_value = value;
      value += partials;
      if (r == rank_) continue;
      Peer peer{r, static_cast<Index>(partials), segments_[static_cast<std::size_t>(r)], {}, {}, {}, {}};
      peer.received.resize(static_cast<std::size_t>(chunks_of(segment_)) * partials);
      for (Index c = 0; c < chunks_of(segment_); ++c) {
        const ElementRange at = piece(segment_, c);
        for (std::size_t k = 0; k < partials; ++k) {
          port.receive(r, 0, values_[first_value + k] + at.begin * element_, (at.end - at.begin) * element_,
                       peer.received[static_cast<std::size_t>(c) * partials + k]);
        }
      }
      peers_.push_back(std::move(peer));
    }
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[(i + static_cast<std::size_t>(rank_)) % peers_.size()];  // not all to one at first
      peer.sent.resize(static_cast<std::size_t>(chunks_of(peer.segment)) * own_partials_);
      peer.gathered.reserve(static_cast<std::size_t>(chunks_of(peer.segment)));
      peer.results.reserve(static_cast<std::size_t>(chunks_of(segment_)));
      for (Index c = 0; c < chunks_of(peer.segment); ++c) {
        const ElementRange at = piece(peer.segment, c);
        for (std::size_t k = 0; k < own_partials_; ++k) {
          port.send(peer.rank, 0, static_cast<std::byte*>(data_.own[k]) + (peer.segment.begin + at.begin) * element_,
                    (at.end - at.begin) * element_, peer.sent[static_cast<std::size_t>(c) * own_partials_ + k]);
        }
      }
    }
  }

  std::byte* result_at(ElementRange segment, Index element) const {
    return static_cast<std::byte*>(data_.result) + (segment.begin + element) * element_;
  }

  void receive_result(Port& port, Peer& peer, std::size_t c) {
    const ElementRange at = piece(peer.segment, static_cast<Index>(c));
    peer.gathered.emplace_back();
    port.receive(peer.rank, 1, result_at(peer.segment, at.begin), (at.end - at.begin) * element_, peer.gathered.back());
  }

  void sum_chunk(Port& port, Index c) {
    const ElementRange at = piece(segment_, c);
    const Index n = at.end - at.begin;
    std::byte* result = result_at(segment_, at.begin);
    const auto value = [&](int v) { return values_[static_cast<std::size_t>(v)] + at.begin * element_; };
    for (std::size_t i = 0; i < additions_.size(); ++i) {
      const bool last = i + 1 == additions_.size();
      std::byte* into = value(additions_[i].into);
      add(last ? result : into, into, value(additions_[i].from), n);
    }
    if (additions_.empty() && result != value(0)) std::memcpy(result, value(0), static_cast<std::size_t>(n * element_));
    if (!data_.gather) return;
    for (Peer& peer : peers_) {
      peer.results.emplace_back();
      port.send(peer.rank, 1, result, n * element_, peer.results.back());
    }
  }

  void add(void* y, const void* a, const void* b, Index n) const {
    if (plan_.dtype == DType::f32) return combine<float>(plan_.reduce, y, a, b, n);
    if (plan_.dtype == DType::f64) return combine<double>(plan_.reduce, y, a, b, n);
    combine<std::int32_t>(plan_.reduce, y, a, b, n);
  }

  const ReductionPlan& plan_;
  ReductionData data_;
  int rank_;
  Index element_;
  Index chunk_ = 0;
  std::vector<ElementRange> segments_;  // of every rank
  ElementRange segment_{0, 0};
  std::vector<std::byte*> values_;  // of this rank's segment, in the order of shards
  std::vector<Addition> additions_;
  std::vector<Peer> peers_;
  std::size_t own_partials_ = 1;
  Index summed_ = 0;
  bool begun_ = false;
  int waits_for_ = -1;
};

}  // namespace

ReductionPlan plain_reduction(int ranks, DType dtype, Reduce reduce) {
  check(dtype == DType::f32 || dtype == DType::f64 || dtype == DType::i32, Code::dtype,
        [&] { return std::string("all-reduce: takes f32, f64 or i32, got ") + name_of(dtype); });
  ReductionPlan plan{dtype, reduce, ranks, {}};
  for (int rank = 0; rank < ranks; ++rank) plan.partials.push_back({{rank, 1}});
  return plan;
}

ElementRange segment_of(Index elements, int rank, int size) {
  const Index lines = (elements + kAlign - 1) / kAlign;
  const auto at = [&](int r) { return std::min(elements, lines * r / size * kAlign); };
  return {at(rank), at(rank + 1)};
}

Index staging_bytes(const ReductionPlan& plan, int rank, Index elements) {
  const ElementRange own = segment_of(elements, rank, static_cast<int>(plan.partials.size()));
  Index values = 0;
  for (int r = 0; r < static_cast<int>(plan.partials.size()); ++r) {
    if (r != rank) values += static_cast<Index>(plan.partials[r].size());
  }
  return values * (own.end - own.begin) * size_of(plan.dtype);
}

std::unique_ptr<Operation> reduction(const ReductionPlan& plan, int rank, ReductionData data, std::byte* staging) {
  return std::make_unique<Reduction>(plan, rank, std::move(data), staging);
}

}  // namespace athanor::comm
