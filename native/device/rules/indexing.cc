// Reading and adding by index. An index out of range claims the run's record; the sentence is the CPU's.
#include "device/rules/rules.h"
#include "graph/attributes.h"
#include "ops/indexing/indexing_args.h"
#include "ops/sentences.h"

namespace athanor::device {
namespace {

void report_indices(DeviceContext& context, Index limit) {
  context.on_bad_data([where = context.where(), limit](const RunRecord& run) {
    const auto index = static_cast<std::int32_t>(value_bits_of(run));
    return Error(Code::argument, bad_index(where, {index, position_of(run), static_cast<Index>(run.count)}, limit));
  });
}

}  // namespace

void lower_embedding(DeviceContext& context) {
  const Type &table = context.input_type(0), &index = context.input_type(1);
  const Slot from = context.input(0), at_index = context.input(1), y = context.output();
  GatherRows rows{};
  rows.args = {
      nullptr, nullptr, nullptr, index.dtype, index.count(), table.shape[0], table.shape[1] * size_of(table.dtype)};
  rows.check.node = context.id();
  report_indices(context, table.shape[0]);
  const double bytes = 2.0 * static_cast<double>(rows.args.rows * rows.args.row_bytes);
  context.launch(context.launchers().gather_rows, rows, {0, bytes}, [=](GatherRows& now, const Addresses& at) {
    now.args.y = at.at(y), now.args.table = at.at(from), now.args.index = at.at(at_index);
    now.check.run = at.run;
  });
}

void lower_embedding_grad(DeviceContext& context) {
  const Type& index = context.input_type(1);
  const Shape& shape = context.output_type().shape;
  const Slot dy = context.input(0), at_index = context.input(1), y = context.output();
  ScatterAddRows rows{};
  rows.args.dtype = context.output_type().dtype, rows.args.index_dtype = index.dtype;
  rows.args.rows = index.count(), rows.args.limit = shape[0], rows.args.D = shape[1];
  rows.check.node = context.id();
  report_indices(context, shape[0]);
  const double flops = static_cast<double>(rows.args.rows * rows.args.D);
  context.launch(context.launchers().scatter_add_rows, rows, {flops, 0}, [=](ScatterAddRows& now, const Addresses& at) {
    now.args.dtable = at.at(y), now.args.dy = at.at(dy), now.args.index = at.at(at_index);
    now.check.run = at.run;
  });
}

void lower_gather(DeviceContext& context) {
  Gather gather{gather_args(context), {nullptr, context.id()}};
  const Slot from = context.input(0), at_index = context.input(1), y = context.output();
  report_indices(context, gather.args.limit);
  context.launch(context.launchers().gather, gather, {}, [=](Gather& now, const Addresses& at) {
    now.args.x = at.at(from), now.args.index = at.at(at_index), now.args.y = at.at(y);
    now.check.run = at.run;
  });
}

void lower_scatter_add(DeviceContext& context) {
  const Type& type = context.output_type();
  ScatterAdd scatter{scatter_add_args(context), {nullptr, context.id()}};
  Copy first{};
  first.args.rank = 1;
  first.args.element_size = size_of(type.dtype);
  first.args.shape[0] = type.count();
  first.args.x_stride[0] = first.args.y_stride[0] = 1;
  const Slot base = context.input(0), at_index = context.input(1), x = context.input(2), to = context.output();
  report_indices(context, scatter.args.limit);
  context.launch(context.launchers().copy, first, {},
                 [=](Copy& now, const Addresses& at) { now.args.x = at.at(base), now.args.y = at.at(to); });
  context.launch(context.launchers().scatter_add, scatter, {}, [=](ScatterAdd& now, const Addresses& at) {
    now.args.y = at.at(to), now.args.x = at.at(x), now.args.index = at.at(at_index);
    now.check.run = at.run;
  });
}

void lower_one_hot(DeviceContext& context) {
  const Type& index = context.input_type(0);
  const Slot at_index = context.input(0), y = context.output();
  OneHot one_hot{};
  one_hot.args.dtype = context.output_type().dtype, one_hot.args.index_dtype = index.dtype;
  one_hot.args.rows = index.count(), one_hot.args.classes = attributes::one_hot::of(context.attrs()).classes;
  one_hot.args.on = 1;
  one_hot.check.node = context.id();
  report_indices(context, one_hot.args.classes);
  context.launch(context.launchers().one_hot, one_hot, {}, [=](OneHot& now, const Addresses& at) {
    now.args.y = at.at(y), now.args.index = at.at(at_index);
    now.check.run = at.run;
  });
}

}  // namespace athanor::device
