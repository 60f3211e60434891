// Norms over rows, and over the batch.
#include "device/rules/rules.h"
#include "graph/attributes.h"

namespace athanor::device {
namespace {

Index rows_of(const Shape& shape) { return shape.count(0, shape.rank() - 1); }

void lower_norm(DeviceContext& context, NormKind kind) {
  const bool layer = kind == NormKind::layer;
  const Shape& shape = context.input_type(0).shape;
  Norm norm;
  norm.args.kind = kind, norm.args.rows = rows_of(shape), norm.args.cols = shape.back();
  norm.args.eps = static_cast<float>(layer ? attributes::layer_norm::of(context.attrs()).eps
                                           : attributes::rms_norm::of(context.attrs()).eps);
  const Slot x = context.input(0), gamma = context.input(1), beta = context.input(layer ? 2 : 1), y = context.output(0);
  const Slot mean = context.output(layer ? 1 : 0), rstd = context.output(layer ? 2 : 1);
  context.launch(context.launchers().norm, norm, {8.0 * static_cast<double>(shape.count()), 0},
                 [=](Norm& now, const Addresses& at) {
                   now.args.x = at.at<const float>(x), now.args.gamma = at.at<const float>(gamma);
                   now.args.y = at.at<float>(y), now.args.rstd = at.at<float>(rstd);
                   if (layer) now.args.beta = at.at<const float>(beta), now.args.mean = at.at<float>(mean);
                 });
}

void lower_norm_grad(DeviceContext& context, NormKind kind) {
  const bool layer = kind == NormKind::layer;
  const Shape& shape = context.input_type(0).shape;
  NormGrad grad;
  grad.args.kind = kind, grad.args.rows = rows_of(shape), grad.args.cols = shape.back();
  const Slot x = context.input(0), gamma = context.input(1);
  const Slot mean = context.input(2), rstd = context.input(layer ? 3 : 2), dy = context.input(layer ? 4 : 3);
  const Slot dx = context.output(0), dgamma = context.output(1), dbeta = context.output(layer ? 2 : 1);
  context.launch(context.launchers().norm_grad, grad, {12.0 * static_cast<double>(shape.count()), 0},
                 [=](NormGrad& now, const Addresses& at) {
                   NormBackwardArgs& args = now.args;
                   args.x = at.at<const float>(x), args.gamma = at.at<const float>(gamma);
                   args.rstd = at.at<const float>(rstd), args.dy = at.at<const float>(dy);
                   args.dx = at.at<float>(dx), args.dgamma = at.at<float>(dgamma);
                   if (layer) args.mean = at.at<const float>(mean), args.dbeta = at.at<float>(dbeta);
                 });
}

}  // namespace

void lower_layer_norm(DeviceContext& context) { lower_norm(context, NormKind::layer); }
void lower_layer_norm_grad(DeviceContext& context) { lower_norm_grad(context, NormKind::layer); }
void lower_rms_norm(DeviceContext& context) { lower_norm(context, NormKind::rms); }
void lower_rms_norm_grad(DeviceContext& context) { lower_norm_grad(context, NormKind::rms); }

void lower_batch_norm(DeviceContext& context) {
  const Shape& shape = context.input_type(0).shape;
  BatchNorm norm;
  norm.args.n = shape[0], norm.args.c = shape[1], norm.args.l = shape.count(2);
  norm.args.eps = static_cast<float>(attributes::batch_norm::of(context.attrs()).eps);
  const Slot x = context.input(0), gamma = context.input(1), beta = context.input(2);
  const Slot y = context.output(0), mean = context.output(1), var = context.output(2), rstd = context.output(3);
  context.launch(context.launchers().batch_norm, norm, {8.0 * static_cast<double>(shape.count()), 0},
                 [=](BatchNorm& now, const Addresses& at) {
                   BatchNormArgs& args = now.args;
                   args.x = at.at<const float>(x), args.gamma = at.at<const float>(gamma);
                   args.beta = at.at<const float>(beta), args.y = at.at<float>(y), args.mean = at.at<float>(mean);
                   args.var = at.at<float>(var), args.rstd = at.at<float>(rstd);
                 });
}

void lower_batch_norm_grad(DeviceContext& context) {
  const Shape& shape = context.input_type(0).shape;
  BatchNormGrad grad;
  grad.args.n = shape[0], grad.args.c = shape[1], grad.args.l = shape.count(2);
  const Slot x = context.input(0), gamma = context.input(1), mean = context.input(2), rstd = context.input(3),
             dy = context.input(4);
  const Slot dx = context.output(0), dgamma = context.output(1), dbeta = context.output(2);
  context.launch(context.launchers().batch_norm_grad, grad, {12.0 * static_cast<double>(shape.count()), 0},
                 [=](BatchNormGrad& now, const Addresses& at) {
                   BatchNormBackwardArgs& args = now.args;
                   args.x = at.at<const float>(x), args.gamma = at.at<const float>(gamma);
                   args.mean = at.at<const float>(mean), args.rstd = at.at<const float>(rstd);
                   args.dy = at.at<const float>(dy), args.dx = at.at<float>(dx);
                   args.dgamma = at.at<float>(dgamma), args.dbeta = at.at<float>(dbeta);
                 });
}

}  // namespace athanor::device
