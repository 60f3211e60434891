#include "runtime/fill.h"

#include <cmath>
#include <cstring>
#include <mutex>
#include <numbers>

#include "base/error.h"
#include "base/philox.h"

namespace athanor {
namespace {

// Apart from the steps of training, whose random numbers come from the same generator.
constexpr std::uint32_t kInitialStep = 0xFFFF0000U;

// Box and Muller's transform of two uniform numbers of 32 bits.
double normal(const PhiloxStream& stream, std::uint64_t element) {
  const double u = (static_cast<double>(stream.bits(2 * element)) + 0.5) * 0x1p-32;
  const double v = static_cast<double>(stream.bits(2 * element + 1)) * 0x1p-32;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

// Draws again, from the next step's numbers, what falls beyond two deviations (about one in 22).
double truncated(PhiloxStream stream, std::uint64_t element) {
  for (;; ++stream.step) {
    const double value = normal(stream, element);
    if (std::fabs(value) <= 2.0) return value;
  }
}

template <class T>
void fill_with(Variable& variable, const std::string& kind, double a, double b, PhiloxStream stream) {
  T* data = reinterpret_cast<T*>(variable.data());
  const Index n = variable.type().count();
  for (Index i = 0; i < n; ++i) {
    const auto element = static_cast<std::uint64_t>(i);
    double value = a;
    if (kind == "uniform") value = a + (b - a) * static_cast<double>(stream.uniform(element));
    if (kind == "normal") value = a + b * normal(stream, element);
    if (kind == "truncated") value = a + b * truncated(stream, element);
    data[i] = static_cast<T>(value);
  }
}

}  // namespace

void fill(Variable& variable, const std::string& kind, double a, double b, std::uint64_t seed, std::uint32_t stream) {
  const bool random = kind == "uniform" || kind == "normal" || kind == "truncated";
  check(random || kind == "constant", Code::argument,
        [&] { return "fill: expected \"constant\", \"uniform\", \"normal\" or \"truncated\", got \"" + kind + "\""; });
  const std::shared_ptr<Arena> arena = variable.arena();
  const std::unique_lock lock(arena->mutex);
  variable.touch();
  const PhiloxStream numbers{seed, kInitialStep, stream};
  switch (variable.type().dtype) {
    case DType::f32: return fill_with<float>(variable, kind, a, b, numbers);
    case DType::f64: return fill_with<double>(variable, kind, a, b, numbers);
    case DType::i32:
      if (!random) return fill_with<std::int32_t>(variable, kind, a, b, numbers);
      break;
    case DType::u8:
    case DType::boolean:
      if (!random) return fill_with<std::uint8_t>(variable, kind, a, b, numbers);
      break;
    case DType::bf16: break;
  }
  throw Error(Code::dtype,
              "fill: " + kind + " values are not to be had for " + name_of(variable.type().dtype) + "; use f32");
}

}  // namespace athanor
