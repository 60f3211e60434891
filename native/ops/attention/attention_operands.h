// An attention node as kernels take it: where q, k, v, mask and results lie, whichever of its two forms it has. `forward` and `backward`
// fill in the addresses of a run: anything with at<T>(slot).
#pragma once
#include "graph/attributes.h"
#include "graph/lowering.h"
#include "kernels/attention/attention.h"

namespace athanor {

AttentionShape attention_shape(const Shape& q, const Shape& k, const Attrs& attrs);

// The packed form: q, k, v and y lie in [B, T, (H + 2 Hkv) D] and [B, T, H D].
struct PackedAttention {
  AttentionShape shape;
  Index width;  // (H + 2 Hkv) D
};
PackedAttention packed_attention(const Shape& qkv, const Attrs& attrs);

class AttentionOperands {
 public:
  AttentionOperands(const NodeContext& context, bool packed)
      : packed_(packed), masked_(attributes::attention::of(context.attrs()).mask) {
    for (int i = 0; i < context.input_count(); ++i) inputs_.push_back(context.input(i));
    for (int i = 0; i < context.node.output_count; ++i) outputs_.push_back(context.output(i));
    if (packed) {
      const PackedAttention whole = packed_attention(context.input_type(0).shape, context.attrs());
      shape = whole.shape, width_ = whole.width;
    } else {
      shape = attention_shape(context.input_type(0).shape, context.input_type(1).shape, context.attrs());
      if (masked_) mask_type_ = context.input_type(3);
    }
  }

  AttentionShape shape;

  double flops() const {
    return 4.0 * static_cast<double>(shape.batch * shape.heads * shape.queries * shape.keys * shape.depth) /
           (shape.causal ? 2 : 1);
  }

  template <class Run>
  AttentionForward forward(const Run& run) const {
    AttentionForward args;
    args.shape = shape;
    read_operands(run, args);
    args.y = result(run.template at<float>(outputs_[0]));
    args.lse = run.template at<float>(outputs_[1]);
    return args;
  }

  template <class Run>
  AttentionBackward backward(const Run& run) const {
    AttentionBackward args;
    args.shape = shape;
    read_operands(run, args);
    const std::size_t next = packed_ ? 1 : masked_ ? 4 : 3;
    args.y = result(run.template at<const float>(inputs_[next]));
    args.lse = run.template at<const float>(inputs_[next + 1]);
    args.dy = result(run.template at<const float>(inputs_[next + 2]));
    args.dq = query(run.template at<float>(outputs_[0]));
    args.dk = key(run.template at<float>(outputs_[packed_ ? 0 : 1]), 0);
    args.dv = key(run.template at<float>(outputs_[packed_ ? 0 : 2]), shape.kv_heads);
    return args;
  }

 private:
  template <class Run, class Args>
  void read_operands(const Run& run, Args& args) const {
    args.q = query(run.template at<const float>(inputs_[0]));
    args.k = key(run.template at<const float>(inputs_[packed_ ? 0 : 1]), 0);
    args.v = key(run.template at<const float>(inputs_[packed_ ? 0 : 2]), shape.kv_heads);
    if (masked_) args.mask = mask(run);
  }

  template <class T>
  AttentionView<T> query(T* data) const {
    if (packed_) return {data, shape.queries * width_, shape.depth, width_};
    return dense(data, shape.heads, shape.queries);
  }

  // `before`: key heads that lie between the queries and these, in the packed form.
  template <class T>
  AttentionView<T> key(T* data, Index before) const {
    if (!packed_) return dense(data, shape.kv_heads, shape.keys);
    return {data + (shape.heads + before) * shape.depth, shape.queries * width_, shape.depth, width_};
  }

  template <class T>
  AttentionView<T> result(T* data) const {
    if (!packed_) return dense(data, shape.heads, shape.queries);
    const Index row = shape.heads * shape.depth;
    return {data, shape.queries * row, shape.depth, row};
  }

  // [B, heads, rows, D], contiguous.
  template <class T>
  AttentionView<T> dense(T* data, Index heads, Index rows) const {
    return {data, heads * rows * shape.depth, rows * shape.depth, shape.depth};
  }

  template <class Run>
  AttentionMask mask(const Run& run) const {
    AttentionMask mask;
    const auto strides = mask_type_.shape.strides();
    mask.batch = mask_type_.shape[0] == 1 ? 0 : strides[0];
    mask.head = mask_type_.shape[1] == 1 ? 0 : strides[1];
    mask.row = mask_type_.shape[2] == 1 ? 0 : strides[2];
    if (mask_type_.dtype == DType::f32) {
      mask.add = run.template at<const float>(inputs_[3]);
    } else {
      mask.keep = run.template at<const std::uint8_t>(inputs_[3]);
    }
    return mask;
  }

  bool packed_, masked_;
  std::vector<Slot> inputs_, outputs_;
  Type mask_type_{DType::f32, {}};
  Index width_ = 0;
};

}  // namespace athanor
