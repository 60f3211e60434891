// kmeans: x f32 […] and a weight f32 for each of its elements → table f32 [entries], ascending, with the least
// Σ weight (x − nearest entry)² (native/quant/kmeans.h). Attribute: entries, from 1 to 65,536. Values of weight 0 do not count; where
// x is 0 somewhere, an entry is.
#include "quant/kmeans.h"
#include "graph/attributes.h"

#include <algorithm>

#include "base/error.h"
#include "graph/lower.h"
#include "ops/require.h"

namespace athanor {
namespace {

constexpr Index kMostEntries = 65'536;

void infer_kmeans(InferContext& context) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32, Code::dtype,
        [&] { return "kmeans: the values must be f32, got " + to_string(x) + "; cast them first"; });
  require_type(context, 1, "the weights", x);
  const Index entries = attributes::kmeans::of(context.attrs).entries;
  check(entries >= 1 && entries <= kMostEntries, Code::argument,
        [&] { return "kmeans: entries must be from 1 to 65536, got " + std::to_string(entries); });
  context.outputs.push_back({DType::f32, Shape{entries}});
}

void lower_kmeans(LowerContext& context) {
  quant::KmeansArgs args;
  args.count = context.input_type(0).count();
  args.entries = attributes::kmeans::of(context.attrs()).entries;
  const Slot x = context.input(0), weight = context.input(1), table = context.output();
  const double n = static_cast<double>(args.count), k = static_cast<double>(args.entries);
  context.emit({n * 40 + k * 1e5, 0}, [=](Execution& run) {
    quant::KmeansArgs now = args;
    now.x = run.at<const float>(x), now.weight = run.at<const float>(weight);
    const std::vector<float> found = quant::kmeans_table(now);
    std::copy(found.begin(), found.end(), run.at<float>(table));
  });
}

}  // namespace

const OpRule rule_kmeans{infer_kmeans, nullptr, lower_kmeans};

}  // namespace athanor
