#include "ops/comm/collective_proof.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "comm/agreement.h"
#include "comm/transfers.h"

namespace athanor {
namespace {

Op op_of(const Node& node) { return node.op == Op::collective_start ? find_op(node.attrs.text("op"))->op : node.op; }

bool is_compared(const Node& node) {
  if (!info(node.op).is(kCollective) || node.output_count == 0) return false;
  const Op op = op_of(node);
  return op != Op::send && op != Op::receive;
}

// "all_reduce sum of f32 [8, 16]": all that has to be the same on all ranks.
std::string line_of(const Graph& graph, const Node& node) {
  const Op op = op_of(node);
  std::string line = info(op).name;
  const auto list = [&](const char* name) {
    line += std::string(", ") + name;
    for (const Index size : node.attrs.list(name)) line += " " + std::to_string(size);
  };
  if (op == Op::all_reduce) line += " " + node.attrs.text("reduce");
  if (op == Op::all_to_all) {
    line += std::string(" of ") + name_of(graph.type(node.inputs[0]).dtype);
    list("split_sizes");
    list("concat_sizes");
    return line;
  }
  // The whole tensor, which all ranks agree on; of a gather that is its result.
  line += " of " + to_string(graph.type(op == Op::all_gather ? node.output() : node.inputs[0]));
  if (op == Op::broadcast) line += " from " + std::to_string(node.attrs.integer("root"));
  if (op == Op::all_gather || op == Op::reduce_scatter) list("sizes");
  return line;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// FNV-1a
std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash;
}

struct Digest {
  std::uint64_t hash;
  std::int64_t bytes;  // of the text
};

comm::Communicator::Ticket gather(const RankGroup& group, const std::vector<comm::Piece>& pieces,
                                  std::shared_ptr<const void> keep) {
  const comm::Label label{"all-gather", "the collectives of all ranks (" + group.name() + ")",
                          pieces[static_cast<std::size_t>(group.rank())].bytes, -1};
  return group.communicator().start(group.group(), label, comm::all_gather(group.rank(), pieces), std::move(keep));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

[[noreturn]] void throw_difference(const RankGroup& group, const std::vector<std::string>& texts) {
  const std::vector<std::string> first = lines_of(texts[0]);
  for (std::size_t r = 1; r < texts.size(); ++r) {
    const std::vector<std::string> other = lines_of(texts[r]);
    if (other == first) continue;
    std::size_t at = 0;
    while (at < std::min(first.size(), other.size()) && first[at] == other[at]) ++at;
    const auto shown = [&](const std::vector<std::string>& lines) {
      return at < lines.size() ? lines[at] : std::string("missing");
    };
    const auto name = [&](std::size_t rank) {
      return comm::named_rank(group.communicator(), group.group()->ranks()[rank]);
    };
    throw Error(Code::communication, "parallel: the collectives of " + name(r) + " are not those of " + name(0) +
                                         ": number " + std::to_string(at + 1) + " among \"" + group.name() + "\" is " +
                                         shown(other) + ", not " + shown(first) +
                                         "; trace the same function with the same shapes and options on all ranks");
  }
  throw Error(Code::internal, "parallel: hashes differ where texts do not");
}

// Everybody's text, once somebody's hash has differed.
void compare_texts(const RankGroup& group, const std::string& own, const std::vector<Digest>& digests) {
  const auto texts = std::make_shared<std::vector<std::string>>();
  std::vector<comm::Piece> pieces;
  for (const Digest& digest : digests) texts->emplace_back(static_cast<std::size_t>(digest.bytes), ' ');
  (*texts)[static_cast<std::size_t>(group.rank())] = own;
  for (std::size_t r = 0; r < texts->size(); ++r)
    pieces.push_back({static_cast<int>(r), (*texts)[r].data(), digests[r].bytes});
  group.communicator().wait(gather(group, pieces, texts));
  comm::settle(group.communicator(), group.group(), -1);  // no rank ends before all have read why
  throw_difference(group, *texts);
}

}  // namespace

// All groups are begun before any is waited for: ranks may come to them in another order.
void CollectiveProof::run() {
  if (done_) return;
  struct Exchange {
    std::shared_ptr<std::vector<Digest>> digests;
    comm::Communicator::Ticket ticket;
  };
  std::vector<Exchange> exchanges;
  for (const Sequence& sequence : sequences_) {
    const RankGroup& group = *sequence.group;
    const std::string text = text_of(sequence.lines);
    auto digests = std::make_shared<std::vector<Digest>>(static_cast<std::size_t>(group.size()));
    (*digests)[static_cast<std::size_t>(group.rank())] = {hash_of(text), static_cast<std::int64_t>(text.size())};
    std::vector<comm::Piece> pieces;
    for (std::size_t r = 0; r < digests->size(); ++r)
      pieces.push_back({static_cast<int>(r), &(*digests)[r], sizeof(Digest)});
    auto ticket = gather(group, pieces, digests);
    exchanges.push_back({std::move(digests), std::move(ticket)});
  }
  for (std::size_t i = 0; i < exchanges.size(); ++i) {
    const Sequence& sequence = sequences_[i];
    sequence.group->communicator().wait(exchanges[i].ticket);
    const std::vector<Digest>& digests = *exchanges[i].digests;
    const bool same = std::all_of(digests.begin(), digests.end(), [&](const Digest& other) {
      return other.hash == digests[0].hash && other.bytes == digests[0].bytes;
    });
    if (!same) compare_texts(*sequence.group, text_of(sequence.lines), digests);
  }
  done_ = true;
}

std::shared_ptr<CollectiveProof> proof_before(const Graph& graph, const Node& node) {
  std::vector<CollectiveProof::Sequence> sequences;
  const Node* first = nullptr;
  for (const Node& other : graph.nodes()) {
    if (!is_compared(other)) continue;
    if (first == nullptr) first = &other;
    if (first != &node) return nullptr;
    const auto group = rank_group(graph, other.attrs);
    const auto known = std::find_if(sequences.begin(), sequences.end(),
                                    [&](const auto& sequence) { return sequence.group->group() == group->group(); });
    auto& sequence = known == sequences.end() ? sequences.emplace_back(CollectiveProof::Sequence{group, {}}) : *known;
    sequence.lines.push_back(line_of(graph, other));
  }
  if (first == nullptr) return nullptr;
  return std::make_shared<CollectiveProof>(std::move(sequences));
}

}  // namespace athanor
