// Fused scaled-dot-product attention. `attention` takes q [B, H, Tq, D], k and v [B, Hkv, Tk, D] and, with "mask", a bool or f32
// mask that broadcasts to [B, H, Tq, Tk]. `attention_packed` takes a fused projection [B, T, (H + 2 Hkv) D] and gives
// [B, T, H D], without any transpose. Attributes: causal, scale (default 1/√D), causal_offset; heads and kv_heads when packed.
#include <cmath>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "ops/attention/attention_operands.h"
#include "ops/require.h"

namespace athanor {

AttentionShape attention_shape(const Shape& q, const Shape& k, const Attrs& attrs) {
  AttentionShape shape;
  shape.batch = q[0], shape.heads = q[1], shape.queries = q[2], shape.depth = q[3];
  shape.kv_heads = k[1], shape.keys = k[2];
  const auto at = attributes::attention::of(attrs);
  shape.scale = static_cast<float>(at.scale.value_or(1.0 / std::sqrt(static_cast<double>(std::max<Index>(1, q[3])))));
  shape.causal = at.causal;
  shape.causal_offset = at.causal_offset;
  return shape;
}

PackedAttention packed_attention(const Shape& qkv, const Attrs& attrs) {
  const auto at = attributes::attention_packed::of(attrs);
  const Index heads = at.heads, kv_heads = at.kv_heads.value_or(heads);
  const Index depth = qkv[2] / (heads + 2 * kv_heads);
  return {attention_shape({qkv[0], heads, qkv[1], depth}, {qkv[0], kv_heads, qkv[1], depth}, attrs), qkv[2]};
}

namespace {

void check_heads(const char* name, Index heads, Index kv_heads) {
  check(kv_heads >= 1 && heads % kv_heads == 0, Code::shape, [&] {
    return std::string(name) + ": key heads must divide query heads, got " + std::to_string(heads) + " query and " +
           std::to_string(kv_heads) + " key heads";
  });
}

void check_operands(const InferContext& context) {
  const bool masked = attributes::attention::of(context.attrs).mask;
  check(context.inputs.size() >= (masked ? 4U : 3U), Code::argument,
        [&] { return "attention: takes q, k and v" + std::string(masked ? " and a mask" : ""); });
  const Type &q = context.inputs[0], &k = context.inputs[1], &v = context.inputs[2];
  check(q.dtype == DType::f32 && k.dtype == DType::f32 && v.dtype == DType::f32, Code::dtype, [&] {
    return std::string("attention: takes f32, got ") + name_of(q.dtype) + ", " + name_of(k.dtype) + " and " +
           name_of(v.dtype);
  });
  const bool ranks = q.shape.rank() == 4 && k.shape.rank() == 4 && v.shape.rank() == 4;
  check(ranks && k.shape == v.shape && q.shape[0] == k.shape[0] && q.shape[3] == k.shape[3], Code::shape, [&] {
    return "attention: takes q [B, H, Tq, D], k and v [B, Hkv, Tk, D], got " + to_string(q.shape) + ", " +
           to_string(k.shape) + " and " + to_string(v.shape);
  });
  check_heads("attention", q.shape[1], k.shape[1]);
  if (masked) {
    const Type& mask = context.inputs[3];
    const Shape logits{q.shape[0], q.shape[1], q.shape[2], k.shape[2]};
    check(mask.dtype == DType::boolean || mask.dtype == DType::f32, Code::dtype, [&] {
      return std::string("attention: the mask must be bool (true: look) or f32 (added to the logits), got ") +
             name_of(mask.dtype);
    });
    check(mask.shape.rank() == 4 && mask.shape[3] == k.shape[2] && broadcast("attention", mask.shape, logits) == logits,
          Code::shape, [&] {
            return "attention: the mask must be [1 or B, 1 or H, 1 or Tq, Tk] of " + to_string(logits) + ", got " +
                   to_string(mask.shape);
          });
  }
}

std::size_t operand_count(const Attrs& attrs) { return attributes::attention::of(attrs).mask ? 4 : 3; }

Type lse_of(const Type& q) { return {DType::f32, Shape{q.shape[0], q.shape[1], q.shape[2]}}; }

// Outputs: y like q, log-sum-exp [B, H, Tq].
void infer(InferContext& context) {
  check_operands(context);
  require_operands(context, operand_count(context.attrs));
  context.outputs = {context.inputs[0], lse_of(context.inputs[0])};
}

void vjp(VjpContext& context) {
  if (!context.dy(0)) return;
  std::vector<ValueId> inputs;
  for (int i = 0; i < context.input_count(); ++i) inputs.push_back(context.input(i).id);
  for (const Expr more : {context.output(0), context.output(1), context.dy(0)}) inputs.push_back(more.id);
  const Expr dq{&context.graph(), context.graph().apply(Op::attention_grad, std::move(inputs), context.attrs())};
  for (int i = 0; i < 3; ++i) context.set(i, output(dq, i));
  if (context.input_count() == 4 && context.wants(3)) {
    throw Error(Code::unsupported,
                "grad: attention's mask has no gradient; add a learned bias to the logits without the fused operation");
  }
}

// The operands of attention, then y, log-sum-exp and dy.
void infer_grad(InferContext& context) {
  check_operands(context);
  const int next = static_cast<int>(operand_count(context.attrs));
  require_operands(context, static_cast<std::size_t>(next) + 3);
  const Type q = context.inputs[0];
  require_type(context, next, "y", q);
  require_type(context, next + 1, "the log-sum-exp", lse_of(q));
  require_type(context, next + 2, "dy", q);
  context.outputs = {q, context.inputs[1], context.inputs[2]};
}

// 1 where a query may look at a key, [Tq, Tk].
Expr causal_keep(Graph& graph, Index queries, Index keys, Index offset) {
  const Expr row{&graph,
                 graph.apply(Op::arange, {}, attributes::arange{.n = queries, .start = static_cast<double>(offset)})};
  const Expr column{&graph, graph.apply(Op::arange, {}, attributes::arange{.n = keys})};
  return cast(apply(Op::le, {column, reshape(row, {queries, 1})}), DType::f32);
}

// softmax(scale q kᵀ + mask) v in plain operations, for gradients of gradients: q [B, H, Tq, D], k and v [B, Hkv, Tk, D].
Expr unfused_attention(Expr q, Expr k, Expr v, Expr mask, const Attrs& attrs) {
  constexpr double kUnseen = -1e30;
  const AttentionShape s = attention_shape(q.shape(), k.shape(), attrs);
  const Index rows = s.heads / s.kv_heads * s.queries;  // query heads that share a key head, one under the other
  const Expr scores = matmul(reshape(q, {s.batch, s.kv_heads, rows, s.depth}), k, false, true) * s.scale;
  Expr logits = reshape(scores, {s.batch, s.heads, s.queries, s.keys});
  Expr keep;
  const auto also = [&](Expr more) { keep = keep ? keep * more : more; };
  if (s.causal) also(causal_keep(*q.graph, s.queries, s.keys, s.causal_offset));
  if (mask && mask.dtype() == DType::f32) {
    logits = logits + apply(Op::maximum, {mask, scalar(mask, kUnseen)});
    also(cast(compare(Op::gt, mask, kUnseen), DType::f32));
  } else if (mask) {
    also(cast(mask, DType::f32));
  }
  if (keep) logits = logits + (1.0 - keep) * kUnseen;
  Expr p = apply(Op::softmax, {logits}, attributes::softmax{.axis = 3});
  if (keep) p = p * keep;  // a row that sees nothing gives zeros
  return reshape(matmul(reshape(p, {s.batch, s.kv_heads, rows, s.keys}), v), q.shape());
}

void vjp_grad(VjpContext& context) {
  const bool masked = attributes::attention::of(context.attrs()).mask;
  const Expr mask = masked ? context.input(3) : Expr{};
  differentiate_unfused(context, {0, 1, 2}, masked ? 6 : 5, [&](std::span<const Expr> in) {
    return unfused_attention(in[0], in[1], in[2], mask, context.attrs());
  });
}

void infer_packed(InferContext& context) {
  const Type& qkv = context.inputs[0];
  const auto at = attributes::attention_packed::of(context.attrs);
  const Index heads = at.heads, kv_heads = at.kv_heads.value_or(heads);
  check_heads("attention", heads, kv_heads);
  check(qkv.dtype == DType::f32 && qkv.shape.rank() == 3 && qkv.shape[2] % (heads + 2 * kv_heads) == 0, Code::shape,
        [&] {
          return "attention: takes the projections f32 [B, T, (H + 2 Hkv) D] of " + std::to_string(heads) +
                 " query and " + std::to_string(kv_heads) + " key heads, got " + to_string(qkv);
        });
  const PackedAttention packed = packed_attention(qkv.shape, context.attrs);
  context.outputs.push_back({DType::f32, Shape{qkv.shape[0], qkv.shape[1], heads * packed.shape.depth}});
  context.outputs.push_back({DType::f32, Shape{qkv.shape[0], heads, qkv.shape[1]}});
}

void vjp_packed(VjpContext& context) {
  if (!context.dy(0)) return;
  context.set(0, apply(Op::attention_packed_grad,
                       {context.input(0), context.output(0), context.output(1), context.dy(0)}, context.attrs()));
}

// The projections, y, log-sum-exp and dy.
void infer_packed_grad(InferContext& context) {
  infer_packed(context);
  const std::vector<Type> results = std::move(context.outputs);
  require_type(context, 1, "y", results[0]);
  require_type(context, 2, "the log-sum-exp", results[1]);
  require_type(context, 3, "dy", results[0]);
  context.outputs = {context.inputs[0]};
}

void vjp_packed_grad(VjpContext& context) {
  const auto at = attributes::attention_packed::of(context.attrs());
  const Index heads = at.heads, kv_heads = at.kv_heads.value_or(heads);
  differentiate_unfused(context, {0}, 3, [&](std::span<const Expr> in) {
    const Shape& shape = in[0].shape();
    const Index batch = shape[0], length = shape[1], depth = shape[2] / (heads + 2 * kv_heads);
    const auto part = [&](Index first, Index count) {
      const std::vector<Index> start{0, 0, first * depth}, stop{batch, length, (first + count) * depth};
      const Expr cut = apply(Op::slice, {in[0]}, attributes::slice{start, stop, {}});
      return transpose(reshape(cut, {batch, length, count, depth}), {0, 2, 1, 3});
    };
    const Expr y =
        unfused_attention(part(0, heads), part(heads, kv_heads), part(heads + kv_heads, kv_heads), {}, context.attrs());
    return reshape(transpose(y, {0, 2, 1, 3}), {batch, length, heads * depth});
  });
}

template <bool packed>
void lower(LowerContext& context) {
  const AttentionOperands operands(context, packed);
  const Slot workspace =
      context.workspace(context.kernels.attention.forward_workspace(operands.shape, context.workers));
  const auto kernel = context.kernels.attention.forward;
  context.emit({operands.flops(), 0},
               [=](Execution& run) { kernel(operands.forward(run), run.at(workspace), run.parallel); });
}

template <bool packed>
void lower_grad(LowerContext& context) {
  const AttentionOperands operands(context, packed);
  const Slot workspace =
      context.workspace(context.kernels.attention.backward_workspace(operands.shape, context.workers));
  const auto kernel = context.kernels.attention.backward;
  context.emit({2.5 * operands.flops(), 0},
               [=](Execution& run) { kernel(operands.backward(run), run.at(workspace), run.parallel); });
}

}  // namespace

const OpRule rule_attention{infer, vjp, lower<false>};
const OpRule rule_attention_grad{infer_grad, vjp_grad, lower_grad<false>};
const OpRule rule_attention_packed{infer_packed, vjp_packed, lower<true>};
const OpRule rule_attention_packed_grad{infer_packed_grad, vjp_packed_grad, lower_grad<true>};

}  // namespace athanor
