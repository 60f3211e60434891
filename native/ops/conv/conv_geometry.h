// The attributes of every convolution (stride [h, w], padding [top, bottom, left, right], dilation [h, w], groups): what they make
// of the shapes, and the sentences for those that do not fit. Shared by dense, sparse and quantized weights.
#pragma once
#include "graph/attrs.h"
#include "graph/op.h"
#include "kernels/conv/conv.h"

namespace athanor {

ConvShape conv_shape(const Shape& x, const Shape& w, const Attrs& attrs);

// Throws where x [N, C, H, W] and weights [O, C / groups, KH, KW] are no convolution. `name` heads the sentence.
void check_conv(const char* name, const Type& x, const Type& w, const Attrs& attrs);

// y's type: [N, O, OH, OW].
Type conv_output(const Type& x, const Type& w, const Attrs& attrs);

// The attributes of the geometry alone; the second adds "shape", what an adjoint gives.
Attrs conv_geometry(const Attrs& attrs);
Attrs conv_geometry(const Attrs& attrs, const Shape& shape);

// Multiplications and additions of the dense convolution.
double conv_flops(const ConvShape& shape);

}  // namespace athanor
