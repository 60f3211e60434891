#include "ops/quant/quantized_weight.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "graph/attributes.h"
#include "ops/sentences.h"

namespace athanor {
namespace {

const quant::FormatInfo& format_of(const Attrs& attrs, const char* name) {
  const std::string format = attributes::quantized_matmul::of(attrs).format;
  const quant::FormatInfo* found = quant::find_format(format);
  check(found != nullptr, Code::argument, [&] {
    std::string known;
    for (const quant::FormatInfo& row : quant::kFormats) known += (known.empty() ? "" : ", ") + std::string(row.name);
    return std::string(name) + ": format must be one of " + known + ", got \"" + format + "\"";
  });
  return *found;
}

std::string list(Index a, Index b) { return "[" + std::to_string(a) + ", " + std::to_string(b) + "]"; }

// An operand of u8 or of the given type.
void require(const InferContext& context, int operand, const char* what, bool ok, const std::string& wanted) {
  check(ok, Code::shape, [&] {
    return std::string(context.name) + ": " + what + " must be " + wanted + ", got " +
           to_string(context.inputs[static_cast<std::size_t>(operand)]);
  });
}

bool is_per_group(const Type& type, Index n, Index groups) {
  const Shape& shape = type.shape;
  return shape.rank() == 2 && ((shape[0] == n && shape[1] == groups) || (shape[0] == 1 && shape[1] == 1));
}

void check_attributes(const InferContext& context, const quant::FormatInfo& format, Activations activations,
                      const QuantOperands& at) {
  const Attrs& attrs = context.attrs;
  const std::string name = context.name;
  const Index inner = attributes::quantized_matmul::of(attrs).inner,
              group = attributes::quantized_matmul::of(attrs).group;
  check(inner >= 0 && group >= 1, Code::argument, [&] {
    return name +
           ": inner, the columns of the weight, must be 0 or more and group, the columns of one scale, 1 or more, "
           "got " +
           std::to_string(inner) + " and " + std::to_string(group);
  });
  check(activations == Activations::f32 || inner <= kQuantMaxK, Code::unsupported, [&] {
    return name + ": sums of integers have 32 bits, which " + std::to_string(kQuantMaxK) +
           " columns fill, and the weight has " + std::to_string(inner) + "; use activations: \"float\"";
  });
  check(format.block == 0 || group == std::min(format.block, std::max<Index>(1, inner)), Code::argument, [&] {
    return name + ": " + format.name + " has a scale for every " + std::to_string(format.block) +
           " columns, got group " + std::to_string(group);
  });
  check((format.zero == quant::ZeroPoint::u8) == (at.zero >= 0) &&
            (format.table == quant::Table::own) == (at.table >= 0) &&
            (activations == Activations::fixed) == (at.act >= 0),
        Code::argument, [&] {
          return name +
                 ": an affine format takes zero points, a codebook format its table and static activations their scale "
                 "(attributes zero, table, act), and nothing else does; got " +
                 to_string(attrs);
        });
  check(static_cast<int>(context.inputs.size()) == at.count, Code::argument, [&] {
    return name + ": takes " + std::to_string(at.count) + " operands with these attributes, got " +
           std::to_string(context.inputs.size());
  });
}

}  // namespace

QuantOperands quant_operands(const Attrs& attrs, int first) {
  QuantOperands at{.q = first, .scale = first + 1, .count = first + 2};
  const auto given = attributes::quantized_matmul::of(attrs);
  if (given.zero) at.zero = at.count++;
  if (given.table) at.table = at.count++;
  if (given.bitmap) at.bitmap = at.count++;
  if (given.act) at.act = at.count++;
  return at;
}

Activations activations_of(const char* name, const Attrs& attrs) {
  const std::string kind = attributes::quantized_matmul::of(attrs).activations;
  if (kind == "dynamic") return Activations::dynamic;
  if (kind == "static") return Activations::fixed;
  check(kind == "float", Code::argument,
        [&] { return std::string(name) + ": activations must be float, dynamic or static, got \"" + kind + "\""; });
  return Activations::f32;
}

Index check_quant_weight(InferContext& context, int first) {
  const Attrs& attrs = context.attrs;
  const quant::FormatInfo& format = format_of(attrs, context.name);
  const QuantOperands at = quant_operands(attrs, first);
  check_attributes(context, format, activations_of(context.name, attrs), at);
  const Index inner = attributes::quantized_matmul::of(attrs).inner,
              group = attributes::quantized_matmul::of(attrs).group, groups = (inner + group - 1) / group;
  const auto type = [&](int operand) -> const Type& { return context.inputs[static_cast<std::size_t>(operand)]; };
  const auto is_u8 = [&](int operand) { return type(operand).dtype == DType::u8; };
  Index n = 0;
  if (at.bitmap >= 0) {
    const Shape& shape = type(at.bitmap).shape;
    n = shape.rank() == 2 ? shape[0] : 0;
    require(context, at.bitmap, "the bitmap", is_u8(at.bitmap) && shape.rank() == 2 && shape[1] == (inner + 7) / 8,
            "u8 [N, " + std::to_string((inner + 7) / 8) + "] for " + std::to_string(inner) + " columns");
    require(context, at.q, "q", is_u8(at.q) && type(at.q).shape.rank() == 1, "u8 [bytes], the kept codes");
  } else {
    const Shape& shape = type(at.q).shape;
    const Index bytes = quant::cell_bytes(inner, format.bits);
    n = shape.rank() == 2 ? shape[0] : 0;
    require(context, at.q, "q", is_u8(at.q) && shape.rank() == 2 && shape[1] == bytes,
            "u8 [N, " + std::to_string(bytes) + "] for " + std::to_string(inner) + " columns of " + format.name);
  }
  const DType scale = type(at.scale).dtype;
  const bool bytes_scale = format.scale == quant::ScaleType::e8m0;
  require(context, at.scale, "scale",
          (bytes_scale ? scale == DType::u8 : scale == DType::f32 || scale == DType::bf16) &&
              is_per_group(type(at.scale), n, groups),
          (bytes_scale ? "u8 " : "f32 or bf16 ") + list(n, groups) + " or [1, 1]");
  if (at.zero >= 0)
    require(context, at.zero, "zero", is_u8(at.zero) && is_per_group(type(at.zero), n, groups),
            "u8 " + list(n, groups) + " or [1, 1]");
  if (at.table >= 0) {
    const Type& table = type(at.table);
    const Index most = Index{1} << format.bits;
    require(context, at.table, "the table",
            table.dtype == DType::f32 && table.shape.rank() == 1 && table.shape[0] <= most,
            "f32 of at most " + std::to_string(most) + " values");
  }
  if (at.act >= 0)
    require(context, at.act, "act", type(at.act) == Type{DType::f32, Shape{2}}, "f32 [2], a scale and a zero point");
  return n;
}

QuantWeight::QuantWeight(const NodeContext& context, int first)
    : at_(quant_operands(context.attrs(), first)), where_(context.where()) {
  const Attrs& attrs = context.attrs();
  const Type &q = context.input_type(at_.q), &scale = context.input_type(at_.scale);
  for (int i = 0; i < at_.count; ++i) slots_.push_back(context.input(i));
  sizes_.format = format_of(attrs, "quantized").format;
  sizes_.K = attributes::quantized_matmul::of(attrs).inner,
  sizes_.group = attributes::quantized_matmul::of(attrs).group;
  sizes_.N = context.input_type(at_.bitmap >= 0 ? at_.bitmap : at_.q).shape[0];
  q_bytes_ = q.bytes();
  sizes_.one_scale = scale.shape.count() == 1;
  if (at_.zero >= 0) sizes_.one_zero = context.input_type(at_.zero).shape.count() == 1;
  if (at_.table >= 0) sizes_.table_size = context.input_type(at_.table).shape[0];
  static const float present = 0;  // stands for operands that are there
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&present);
  if (scale.dtype == DType::f32) sizes_.scale = &present;
  if (scale.dtype == DType::bf16) sizes_.scale_bf16 = reinterpret_cast<const Bf16*>(bytes);
  if (scale.dtype == DType::u8) sizes_.scale_e8m0 = bytes;
  if (at_.zero >= 0) sizes_.zero = bytes;
  if (at_.table >= 0) sizes_.table = &present;
  if (at_.bitmap >= 0) sizes_.bitmap = bytes;
  if (const float* table = quant::fixed_table(quant::info(sizes_.format))) {
    sizes_.table = table;
    sizes_.table_size = Index{1} << sizes_.bits();
  }
}

quant::Weights QuantWeight::at(const std::function<const std::byte*(int operand)>& address) const {
  quant::Weights w = sizes_;
  const auto bytes = [&](int operand) { return reinterpret_cast<const std::uint8_t*>(address(operand)); };
  w.q = bytes(at_.q);
  if (w.scale != nullptr) w.scale = reinterpret_cast<const float*>(address(at_.scale));
  if (w.scale_bf16 != nullptr) w.scale_bf16 = reinterpret_cast<const Bf16*>(address(at_.scale));
  if (w.scale_e8m0 != nullptr) w.scale_e8m0 = bytes(at_.scale);
  if (at_.zero >= 0) w.zero = bytes(at_.zero);
  if (at_.table >= 0) w.table = reinterpret_cast<const float*>(address(at_.table));
  if (at_.bitmap >= 0) w.bitmap = bytes(at_.bitmap);
  return w;
}

quant::Weights QuantWeight::bind(const Execution& run) const {
  return at([&](int operand) { return run.at<const std::byte>(slots_[static_cast<std::size_t>(operand)]); });
}

void QuantWeight::require_consistent(const quant::Weights& weight) const {
  check(quant::is_consistent(weight, q_bytes_), Code::corrupt, [&] { return contradicting_weight(where_); });
}

Slot QuantWeight::make(LowerContext& context, const std::string& key, Index bytes, Make make) const {
  const auto checked = [weight = *this, make](const quant::Weights& w, std::byte* to, Parallel& parallel) {
    weight.require_consistent(w);
    make(w, to, parallel);
  };
  std::vector<int> operands;
  for (int i = at_.q; i < at_.count; ++i) {
    if (i != at_.act) operands.push_back(i);
  }
  const std::string full = key + " " + quant::info(sizes_.format).name + " " + std::to_string(sizes_.N) + "x" +
                           std::to_string(sizes_.K) + " " + std::to_string(sizes_.group);
  const Slot shared = context.prepared(
      operands, full,
      [weight = *this, operands, checked, bytes](std::span<const std::byte* const> data, Parallel& parallel) {
        Block block(bytes);
        const auto address = [&](int operand) {
          std::size_t i = 0;
          while (operands[i] != operand) ++i;
          return data[i];
        };
        checked(weight.at(address), block.data(), parallel);
        return block;
      });
  if (shared >= 0) return shared;
  const Slot own = context.workspace(bytes);
  context.emit("weights", {}, [weight = *this, own, checked](Execution& run) {
    checked(weight.bind(run), run.at<std::byte>(own), run.parallel);
  });
  return own;
}

Slot QuantWeight::panels(LowerContext& context, const quant::Panels& panels, Index taps) const {
  const quant::Layout& layout = panels.layout;
  const std::string key = std::string("panels ") + context.kernels.isa + " " + std::to_string(taps) + " " +
                          std::to_string(layout.depth) + (layout.is_signed ? "s" : "u") + (layout.sums ? " sums" : "") +
                          (layout.f32 ? " f32" : "");
  return make(context, key, panels.bytes, [=](const quant::Weights& w, std::byte* to, Parallel& parallel) {
    quant::pack_panels(w, panels, taps, to, parallel);
  });
}

void dequantize_rows(const quant::Weights& w, float* to, Parallel& parallel) {
  constexpr Index kRows = 64;
  parallel.run(static_cast<int>((w.N + kRows - 1) / kRows), [&](int task, int) {
    Index first = quant::kept_before(w, task * kRows);
    for (Index n = task * kRows; n < (task + 1) * kRows && n < w.N; first += quant::kept_in_row(w, n++))
      quant::dequantize(w, n, first, to + n * w.K);
  });
}

bool QuantWeight::is_fixed(const LowerContext& context) const {
  bool fixed = true;
  for (int i = at_.q; i < at_.count; ++i) fixed = fixed && (i == at_.act || context.is_fixed(i));
  return fixed;
}

Slot QuantWeight::dequantized(LowerContext& context) const {
  return make(context, "f32", sizes_.N * sizes_.K * 4, [](const quant::Weights& w, std::byte* to, Parallel& parallel) {
    dequantize_rows(w, reinterpret_cast<float*>(to), parallel);
  });
}

Slot QuantWeight::dequantized(LowerContext& context, const std::string& name, Index bytes, Arrange arrange) const {
  const auto put = [arrange](const quant::Weights& w, std::byte* to, Parallel& parallel) {
    const Block dense(w.N * w.K * 4);
    float* values = reinterpret_cast<float*>(dense.data());
    dequantize_rows(w, values, parallel);
    arrange(values, to, parallel);
  };
  return make(context, "f32 " + name, bytes, put);
}

namespace {

constexpr Index kScalesAt = 64;  // behind the unit, in what integers() makes
constexpr Index values_at(Index rows) { return (kScalesAt + rows * 4 + 63) / 64 * 64; }

}  // namespace

Slot QuantWeight::integers(LowerContext& context, const std::string& name, Index bytes, Arrange arrange) const {
  const auto put = [arrange](const quant::Weights& w, std::byte* to, Parallel& parallel) {
    std::int8_t rounded[256] = {};
    const bool has_table = w.kind() == quant::Kind::codebook;
    if (has_table) quant::round_table(w.table, w.table_size, rounded);
    const float unit = has_table ? quant::table_unit(w.table, w.table_size) : 1.0f;
    std::memcpy(to, &unit, sizeof unit);
    auto* const scales = reinterpret_cast<float*>(to + kScalesAt);
    const Block dense(w.N * w.K * 4);
    auto* const values = reinterpret_cast<float*>(dense.data());
    std::vector<std::int16_t> row(static_cast<std::size_t>(w.K));
    for (Index n = 0, first = 0; n < w.N; first += quant::kept_in_row(w, n++)) {
      quant::integers(w, n, first, rounded, row.data());
      std::copy(row.begin(), row.end(), values + n * w.K);
      scales[n] = w.scale_of(n, 0);
    }
    arrange(values, to + values_at(w.N), parallel);
  };
  return make(context, "integers " + name, values_at(sizes_.N) + bytes, put);
}

QuantWeight::Integers QuantWeight::integers_at(const std::byte* made) const {
  Integers integers{};
  std::memcpy(&integers.unit, made, sizeof integers.unit);
  integers.scales = reinterpret_cast<const float*>(made + kScalesAt);
  integers.values = reinterpret_cast<const float*>(made + values_at(sizes_.N));
  return integers;
}

}  // namespace athanor
