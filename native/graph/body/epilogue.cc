#include "graph/body/epilogue.h"

#include <utility>

namespace athanor {

std::shared_ptr<Epilogue> Epilogue::of(const LowerContext& context, int column_axes, Index rows_per_batch) {
  const Node& node = context.node;
  if (node.body == nullptr) return nullptr;
  auto epilogue = std::make_shared<Epilogue>();
  epilogue->program_ = lower_body(context.graph, node);
  epilogue->view_ = epilogue->program_.view();
  epilogue->rows_per_batch_ = rows_per_batch;
  epilogue->sum_ = ew_as_sum(epilogue->view_);
  epilogue->kernels_ = context.kernels.elementwise;
  const Shape& shape = context.output_type().shape;
  const int outer_rank = shape.rank() - column_axes;
  epilogue->columns_ = shape.count(outer_rank);
  epilogue->leading_ = shape[0];
  epilogue->count_ = shape.count();
  for (std::size_t i = 0; i < epilogue->program_.operands.size(); ++i) {
    const BodyOperand& source = epilogue->program_.operands[i];
    Operand operand;
    operand.element = size_of(epilogue->program_.types[i]);
    operand.in_place =
        source.kind == BodyOperand::Kind::raw || (source.kind == BodyOperand::Kind::output && source.index == 0);
    if (!operand.in_place) {
      const bool is_input = source.kind == BodyOperand::Kind::input;
      operand.slot = is_input ? context.input(source.index) : context.output(source.index);
      const Shape& own = is_input ? context.input_type(source.index).shape : shape;
      const auto strides = broadcast_strides(own, shape);
      operand.col_step = 0;
      for (int axis = outer_rank; axis < shape.rank(); ++axis) {
        if (shape[axis] != 1 && strides[axis] != 0) operand.col_step = 1;
      }
      for (int axis = outer_rank - 1; axis >= 0; --axis) {
        if (shape[axis] == 1) continue;
        operand.moves |= strides[axis] != 0;
        if (!operand.outer.empty() && operand.outer.back().stride * operand.outer.back().extent == strides[axis]) {
          operand.outer.back().extent *= shape[axis];
        } else {
          operand.outer.push_back({shape[axis], strides[axis]});
        }
      }
      if (operand.col_step == 0) epilogue->scalars_ |= 1U << i;
    }
    epilogue->operands_.push_back(std::move(operand));
  }
  return epilogue;
}

void Epilogue::bind(const Execution& execution) {
  for (Operand& operand : operands_) {
    if (!operand.in_place) operand.base = execution.at<std::byte>(operand.slot);
  }
  random_ = {execution.seed, static_cast<std::uint32_t>(execution.step), execution.first_element(leading_, count_)};
}

Index Epilogue::offset(const Operand& operand, Index outer) const {
  if (operand.outer.size() == 1) return outer * operand.outer[0].stride;
  Index at = 0;
  for (const Dim& dim : operand.outer) {
    at += outer % dim.extent * dim.stride;
    outer /= dim.extent;
  }
  return at;
}

namespace {

// The rows of a tile lie apart, so no hardware prefetcher follows them: each operand's row after the next is asked for by name.
constexpr Index kRowsAhead = 2;

void prefetch_run(const std::byte* data, Index bytes) {
  constexpr Index kLine = 64;
  for (Index i = 0; i < bytes; i += kLine) __builtin_prefetch(data + i);
}

}  // namespace

void Epilogue::call(const void* self, float* c, Index row, Index col, Index cols, Index batch) {
  const Epilogue& epilogue = *static_cast<const Epilogue*>(self);
  const Index outer = batch * epilogue.rows_per_batch_ + row;
  void* pointers[kEwMaxOperands];
  for (std::size_t i = 0; i < epilogue.operands_.size(); ++i) {
    const Operand& operand = epilogue.operands_[i];
    pointers[i] = operand.in_place
                      ? reinterpret_cast<std::byte*>(c)
                      : operand.base + (epilogue.offset(operand, outer) + col * operand.col_step) * operand.element;
    if (!operand.in_place && operand.col_step != 0 && operand.moves) {
      const Index at = epilogue.offset(operand, outer + kRowsAhead) + col;
      prefetch_run(operand.base + at * operand.element, cols * operand.element);
    }
  }
  if (epilogue.sum_.terms > 0) return epilogue.kernels_.run_sum(epilogue.sum_, pointers, epilogue.scalars_, cols);
  epilogue.kernels_.run_row(epilogue.view_, pointers, epilogue.scalars_, cols, outer * epilogue.columns_ + col,
                            epilogue.random_);
}

}  // namespace athanor
