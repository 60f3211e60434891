// What the attributes of a pooling operation make of its image.
#pragma once
#include "base/shape.h"
#include "graph/attrs.h"
#include "kernels/pool/pool.h"

namespace athanor {

PoolShape pool_shape(const Shape& x, const Attrs& attrs);

}  // namespace athanor
