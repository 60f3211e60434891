// Softmax and cross-entropy. A bad label claims the run's record; the sentence is the CPU's.
#include "device/rules/rules.h"
#include "ops/sentences.h"
#include "ops/softmax/softmax_args.h"

namespace athanor::device {
namespace {

void lower_forward(DeviceContext& context, bool log) {
  const SoftmaxRows rows = softmax_rows(context);
  Softmax softmax;
  softmax.args.log = log, softmax.args.rows = rows.rows, softmax.args.cols = rows.cols;
  softmax.inner = rows.inner;
  const Slot x = context.input(0), y = context.output();
  const double elements = static_cast<double>(rows.rows * rows.cols);
  context.launch(context.launchers().softmax, softmax, {8 * elements, 0}, [=](Softmax& now, const Addresses& at) {
    now.args.x = at.at<const float>(x), now.args.y = at.at<float>(y);
  });
}

void lower_backward(DeviceContext& context, bool log) {
  const SoftmaxRows rows = softmax_rows(context);
  SoftmaxGrad grad;
  grad.args.log = log, grad.args.rows = rows.rows, grad.args.cols = rows.cols;
  grad.inner = rows.inner;
  const Slot y = context.input(0), dy = context.input(1), dx = context.output();
  const double elements = static_cast<double>(rows.rows * rows.cols);
  context.launch(context.launchers().softmax_grad, grad, {4 * elements, 0}, [=](SoftmaxGrad& now, const Addresses& at) {
    now.args.y = at.at<const float>(y), now.args.dy = at.at<const float>(dy), now.args.dx = at.at<float>(dx);
  });
}

}  // namespace

void lower_softmax(DeviceContext& context) { lower_forward(context, false); }
void lower_softmax_grad(DeviceContext& context) { lower_backward(context, false); }
void lower_log_softmax(DeviceContext& context) { lower_forward(context, true); }
void lower_log_softmax_grad(DeviceContext& context) { lower_backward(context, true); }

void lower_cross_entropy(DeviceContext& context) {
  CrossEntropy cross_entropy;
  cross_entropy.args = cross_entropy_args(context);
  cross_entropy.check.node = context.id();
  const Slot x = context.input(0), labels = context.input(1);
  const Slot loss = context.output(0), lse = context.output(1), counted = context.output(2);
  context.on_bad_data([where = context.where(), classes = cross_entropy.args.classes](const RunRecord& run) {
    const auto label = static_cast<std::int32_t>(value_bits_of(run));
    return Error(Code::argument, bad_label(where, {label, position_of(run), static_cast<Index>(run.count)}, classes));
  });
  const double elements = static_cast<double>(cross_entropy.args.rows * cross_entropy.args.classes);
  context.launch(context.launchers().cross_entropy, cross_entropy, {8 * elements, 0},
                 [=](CrossEntropy& now, const Addresses& at) {
                   now.args.x = at.at<const float>(x), now.args.labels = at.at(labels);
                   now.loss = at.at<float>(loss), now.lse = at.at<float>(lse), now.counted = at.at<float>(counted);
                   now.check.run = at.run;
                 });
}

void lower_cross_entropy_grad(DeviceContext& context) {
  CrossEntropyGrad grad;
  grad.args = cross_entropy_args(context);
  const Slot x = context.input(0), labels = context.input(1), lse = context.input(2), dloss = context.input(3);
  const Slot dx = context.output();
  const double elements = static_cast<double>(grad.args.rows * grad.args.classes);
  context.launch(context.launchers().cross_entropy_grad, grad, {4 * elements, 0},
                 [=](CrossEntropyGrad& now, const Addresses& at) {
                   now.args.x = at.at<const float>(x), now.args.labels = at.at(labels);
                   now.lse = at.at<const float>(lse), now.dloss = at.at<const float>(dloss), now.dx = at.at<float>(dx);
                 });
}

}  // namespace athanor::device
