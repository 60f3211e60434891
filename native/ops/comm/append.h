// How the exchange of gradients enters a graph.
#pragma once
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ops/comm/gradient_exchange.h"

namespace athanor {

// What gradients are weighted by on their way out: "share", the part of the batch that the shard is; "one"; or a value, f32 [].
using BucketWeight = std::variant<std::string, ValueId>;

// Delivers the gradients of a bucket as soon as they are made: one value for each tensor of the bucket, f32, of its size.
// Throws Code::internal for another number or size.
void add_gradient_bucket(Graph& graph, const std::shared_ptr<GradientExchange>& exchange, Index bucket,
                         std::vector<ValueId> gradients, const BucketWeight& weight);

}  // namespace athanor
