// Communication between ranks as nodes of the graph. A node of this kind begins work and does not wait for it; it stands as early
// as its operands permit (graph/passes/place.cc) and in the same order on every rank.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "ops/comm/gradient_exchange.h"
#include "ops/comm/parameter_pages.h"

namespace athanor {
namespace {

// Operands: the gradients of one bucket, f32; with weight "operand" then the number, f32 [], that they are weighted by. Weight
// "share": by the part of the batch that the shard is; "one": as they are.
void infer_bucket(InferContext& context) {
  for (const Type& input : context.inputs) {
    check(input.dtype == DType::f32, Code::dtype,
          [&] { return std::string("gradient_bucket: takes f32, got ") + name_of(input.dtype); });
  }
}

void lower_bucket(LowerContext& context) {
  const auto at = attributes::gradient_bucket::of(context.attrs());
  const auto exchange = std::dynamic_pointer_cast<GradientExchange>(context.graph.resources()[at.resource]);
  check(exchange != nullptr, Code::internal,
        [] { return "gradient_bucket: its resource is no exchange of gradients"; });
  const int bucket = static_cast<int>(at.bucket);
  if (exchange->pages() != nullptr) exchange->pages()->note_delivery(bucket);
  const std::string weight = at.weight;
  const std::size_t tensors = exchange->buckets()[static_cast<std::size_t>(bucket)].elements.size();
  std::vector<Slot> slots;
  double elements = 0;
  for (std::size_t i = 0; i < tensors; ++i) {
    slots.push_back(context.input(static_cast<int>(i)));
    elements += static_cast<double>(context.input_type(static_cast<int>(i)).count());
  }
  const Slot number = weight == "operand" ? context.input(context.input_count() - 1) : -1;
  auto gradients = std::make_shared<std::vector<const float*>>(tensors);
  context.emit(exchange->buckets()[static_cast<std::size_t>(bucket)].detail, {2 * elements, 12 * elements},
               [=](Execution& run) {
                 for (std::size_t i = 0; i < slots.size(); ++i) (*gradients)[i] = run.at<const float>(slots[i]);
                 const float w = number >= 0 ? *run.at<const float>(number) : weight == "share" ? exchange->share() : 1;
                 exchange->deliver(bucket, *gradients, w, run.parallel);
               });
}

}  // namespace

const OpRule rule_gradient_bucket{infer_bucket, nullptr, lower_bucket};

}  // namespace athanor
