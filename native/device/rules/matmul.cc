#include "ops/matmul/matmul_geometry.h"

#include "device/rules/elementwise.h"

namespace athanor::device {

void lower_matmul(DeviceContext& context) {
  const MatmulGeometry g = matmul_geometry(context);
  const auto [m, n, k] = g.sizes;
  Matmul args;
  args.M = m, args.N = n, args.K = k;
  args.a.dtype = args.b.dtype = args.c_dtype = context.output_type().dtype;
  args.a.row = g.a_row, args.a.col = g.a_col, args.b.row = g.b_row, args.b.col = g.b_col;
  args.ldc = n;
  for (int i = 0; i < 2; ++i) {
    args.batch[i] = g.batching.extent[i];
    args.a.batch[i] = g.batching.a[i];
    args.b.batch[i] = g.batching.b[i];
    args.c_batch[i] = g.batching.c[i];
  }
  const auto epilogue = epilogue_of(context);
  const Slot a = context.input(0), b = context.input(1), c = context.output();
  const double batches = static_cast<double>(g.batching.extent[0] * g.batching.extent[1]);
  const double flops = 2.0 * batches * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  context.launch(context.launchers().matmul, args, {flops, 0}, [=](Matmul& now, const Addresses& at) {
    now.a.data = at.at(a), now.b.data = at.at(b), now.c = at.at(c);
    now.epilogue = fill_epilogue(epilogue.get(), at);
  });
}

}  // namespace athanor::device
