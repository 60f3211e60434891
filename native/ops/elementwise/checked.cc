// Values that a run looks at before they are used, because what would come of the wrong ones is a number that nobody notices:
// labels and indices that came as floats, divisors and exponents of whole numbers. "name" is what the sentence begins with.
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/half.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "ops/elementwise/checked_name.h"
#include "ops/sentences.h"

namespace athanor {
namespace {

double read(float x) { return static_cast<double>(x); }
double read(double x) { return x; }
double read(Bf16 x) { return static_cast<double>(to_f32(x)); }

template <class T>
void convert_exactly(const std::string& where, const T* x, std::int32_t* y, Index count) {
  for (Index i = 0; i < count; ++i) {
    const double value = read(x[i]);
    const bool whole = value >= -2147483648.0 && value <= 2147483647.0 && std::floor(value) == value;
    check(whole, Code::argument, [&] { return not_whole(where, value, i); });
    y[i] = static_cast<std::int32_t>(value);
  }
}

// f32, f64 or bf16 → i32, of whole numbers alone.
void infer_exact(InferContext& context) {
  const Type& x = context.inputs[0];
  check(is_float(x.dtype), Code::dtype,
        [&] { return std::string("exact_i32: takes floats, got ") + name_of(x.dtype) + "; cast it"; });
  context.outputs.push_back({DType::i32, x.shape});
}

void lower_exact(LowerContext& context) {
  const Slot x = context.input(0), y = context.output();
  const DType dtype = context.input_type(0).dtype;
  const Index count = context.output_type().count();
  const std::string where = checked_name(context);
  context.emit({static_cast<double>(count), 0}, [=](Execution& run) {
    std::int32_t* to = run.at<std::int32_t>(y);
    if (dtype == DType::f32) return convert_exactly(where, run.at<const float>(x), to, count);
    if (dtype == DType::f64) return convert_exactly(where, run.at<const double>(x), to, count);
    convert_exactly(where, run.at<const Bf16>(x), to, count);
  });
}

// i32, the same values; "rule" is what they must be: nonzero or nonnegative.
void infer_checked(InferContext& context) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::i32, Code::dtype,
        [&] { return std::string("checked_i32: takes i32, got ") + name_of(x.dtype); });
  context.outputs.push_back(x);
}

void lower_checked(LowerContext& context) {
  const Slot x = context.input(0), y = context.output();
  const Index count = context.output_type().count();
  const bool nonzero = attributes::checked_i32::of(context.attrs()).rule == "nonzero";
  const std::string where = checked_name(context);
  context.emit({static_cast<double>(count), 0}, [=](Execution& run) {
    const std::int32_t* from = run.at<const std::int32_t>(x);
    std::int32_t* to = run.at<std::int32_t>(y);
    for (Index i = 0; i < count; ++i) {
      check(nonzero ? from[i] != 0 : from[i] >= 0, Code::argument,
            [&] { return bad_operand(where, nonzero, from[i], i); });
      to[i] = from[i];
    }
  });
}

}  // namespace

const OpRule rule_exact_i32{infer_exact, nullptr, lower_exact};
const OpRule rule_checked_i32{infer_checked, nullptr, lower_checked};

}  // namespace athanor
