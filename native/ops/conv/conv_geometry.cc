#include "ops/conv/conv_geometry.h"

#include <string>

#include "base/error.h"
#include "graph/attributes.h"

namespace athanor {
namespace {

void check_list(const char* name, const Attrs& attrs, const char* attr, std::size_t size, Index least) {
  if (!attrs.has(attr)) return;
  const auto values = attrs.list(attr);
  bool ok = values.size() == size;
  for (const Index value : values) ok = ok && value >= least && value < (Index{1} << 30);
  check(ok, Code::argument, [&] {
    return std::string(name) + ": " + attr + " takes " + std::to_string(size) + " whole numbers of " +
           std::to_string(least) + " or more, got " + to_string(attrs);
  });
}

}  // namespace

ConvShape conv_shape(const Shape& x, const Shape& w, const Attrs& attrs) {
  const auto [stride, padding, dilation, groups] = attributes::conv2d::of(attrs);
  ConvShape shape;
  shape.n = x[0], shape.c_in = x[1], shape.h = x[2], shape.w = x[3];
  shape.c_out = w[0], shape.kh = w[2], shape.kw = w[3];
  shape.stride_h = stride[0], shape.stride_w = stride[1];
  shape.pad_top = padding[0], shape.pad_bottom = padding[1], shape.pad_left = padding[2], shape.pad_right = padding[3];
  shape.dilation_h = dilation[0], shape.dilation_w = dilation[1];
  shape.groups = groups;
  return shape;
}

void check_conv(const char* name, const Type& x, const Type& w, const Attrs& attrs) {
  check(x.dtype == DType::f32 && w.dtype == DType::f32, Code::dtype, [&] {
    return std::string(name) + ": takes f32, got " + name_of(x.dtype) + " and weights " + name_of(w.dtype) +
           "; cast them first";
  });
  check(x.shape.rank() == 4 && w.shape.rank() == 4, Code::shape, [&] {
    return std::string(name) + ": takes x [N, C, H, W] and w [O, C / groups, KH, KW], got " + to_string(x.shape) +
           " and " + to_string(w.shape);
  });
  check_list(name, attrs, "stride", 2, 1);
  check_list(name, attrs, "dilation", 2, 1);
  check_list(name, attrs, "padding", 4, 0);
  const Index groups = attributes::conv2d::of(attrs).groups;
  check(groups >= 1 && x.shape[1] % groups == 0 && w.shape[0] % groups == 0, Code::shape, [&] {
    return std::string(name) + ": groups must divide the channels, got " + std::to_string(groups) + " groups for " +
           std::to_string(x.shape[1]) + " input and " + std::to_string(w.shape[0]) + " output channels";
  });
  check(w.shape[1] * groups == x.shape[1], Code::shape, [&] {
    return std::string(name) + ": input has " + std::to_string(x.shape[1]) + " channels, the weights " +
           to_string(w.shape) + " expect " + std::to_string(w.shape[1] * groups) +
           (groups == 1 ? "" : " (" + std::to_string(groups) + " groups)");
  });
  const ConvShape shape = conv_shape(x.shape, w.shape, attrs);
  const Index window_h = shape.dilation_h * (shape.kh - 1) + 1, window_w = shape.dilation_w * (shape.kw - 1) + 1;
  check(shape.kh >= 1 && shape.kw >= 1 && shape.h + shape.pad_top + shape.pad_bottom >= window_h &&
            shape.w + shape.pad_left + shape.pad_right >= window_w,
        Code::shape, [&] {
          return std::string(name) + ": a window of " + std::to_string(window_h) + " × " + std::to_string(window_w) +
                 " does not fit the padded image of " + std::to_string(shape.h + shape.pad_top + shape.pad_bottom) +
                 " × " + std::to_string(shape.w + shape.pad_left + shape.pad_right) +
                 "; add padding or shrink the kernel";
        });
}

Type conv_output(const Type& x, const Type& w, const Attrs& attrs) {
  const ConvShape shape = conv_shape(x.shape, w.shape, attrs);
  return {DType::f32, Shape{shape.n, shape.c_out, shape.out_h(), shape.out_w()}};
}

Attrs conv_geometry(const Attrs& attrs) { return attributes::conv2d::of(attrs); }

Attrs conv_geometry(const Attrs& attrs, const Shape& shape) {
  Attrs kept = conv_geometry(attrs);
  kept.set("shape", shape.to_vector());
  return kept;
}

double conv_flops(const ConvShape& s) {
  return 2.0 * static_cast<double>(s.n * s.c_out * s.out_h() * s.out_w()) *
         static_cast<double>(s.c_in / s.groups * s.kh * s.kw);
}

}  // namespace athanor
