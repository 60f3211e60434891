#include "ops/comm/append.h"

#include <utility>

#include "base/error.h"
#include "ops/comm/parameter_pages.h"

namespace athanor {

void add_gradient_bucket(Graph& graph, const std::shared_ptr<GradientExchange>& exchange, Index bucket,
                         std::vector<ValueId> gradients, const BucketWeight& weight) {
  check(bucket >= 0 && bucket < static_cast<Index>(exchange->buckets().size()), Code::internal,
        [&] { return "gradientBucket: there is no bucket " + std::to_string(bucket); });
  const std::vector<Index>& elements = exchange->buckets()[static_cast<std::size_t>(bucket)].elements;
  check(gradients.size() == elements.size(), Code::internal,
        [] { return "gradientBucket: one value for every tensor"; });
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    check(graph.type(gradients[i]).count() == elements[i], Code::internal,
          [] { return "gradientBucket: a value of another size than its place"; });
  }
  const std::string* named = std::get_if<std::string>(&weight);
  if (named == nullptr) gradients.push_back(std::get<ValueId>(weight));
  const Index resource = graph.add_resource(exchange);
  if (bucket == 0 && exchange->pages() != nullptr) graph.add_resource(exchange->pages());
  graph.apply(
      Op::gradient_bucket, std::move(gradients),
      {{"resource", resource}, {"bucket", bucket}, {"weight", named == nullptr ? std::string("operand") : *named}});
}

}  // namespace athanor
