// Dense matrix product, C[M,N] = A[M,K] · B[K,N] (+ C), batched, with operands of any stride, packed ahead or made on demand.
//
// The scheme is the blocked one of Goto and van de Geijn (2008) and BLIS (Van Zee and van de Geijn, 2015): a register tile of
// mr × nr, B in panels of nr columns, A in panels of at most mr rows, K in blocks that keep a B panel in L1.
// Each element of C is summed over k in one fixed order, and work is cut into tasks by the sizes alone: the same bits for any
// number of workers, for B packed ahead or not, and for operands read in place or through a callback.
// K == 0 gives zeros (or leaves C as it is when accumulating) and still runs the epilogue; M, N or a batch of 0 does nothing.
#pragma once
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

// Makes a piece of an operand that is not in memory as a matrix (implicit im2col). With i a row of A or a column of B:
//   dst[k * ldd + i] = X(batch; i0 + i, k0 + k)   for 0 <= k < kc, 0 <= i < ni
// It writes exactly these elements. Called from several threads at once, and again for a piece that several tasks need.
// For A, ldd == ni <= mr; for B, ldd == nr, dst is 32-byte aligned and the driver has zeroed the columns past ni.
using GemmPack = void (*)(const void* self, Index batch, Index k0, Index kc, Index i0, Index ni, float* dst, Index ldd);

// Called once for every row segment of C after its last addition, while it is in cache: c points at C(batch; row, col), and
// the cols elements from there are one contiguous segment. Segments of one product never overlap and cover C exactly.
using GemmEpilogue = void (*)(const void* self, float* c, Index row, Index col, Index cols, Index batch);

// One input. Element (r, s) of batch entry (b0, b1) is data[b0 * batch[0] + b1 * batch[1] + r * row + s * col].
// A transposed operand swaps row and col; a broadcast one has a batch stride of 0. Strides of 1 in row or col are the fast ones.
struct GemmOperand {
  const float* data = nullptr;
  Index row = 0;
  Index col = 0;
  Index batch[2] = {0, 0};
  // When set, data and strides are ignored. Its batch argument is b0 * batch[1] + b1 with the product's batch[1].
  GemmPack pack = nullptr;
  const void* pack_self = nullptr;
};

struct GemmArgs {
  Index M = 0, N = 0, K = 0;
  Index batch[2] = {1, 1};  // two nested batch dimensions, such as B and heads; their product counts the entries
  GemmOperand a;            // (M, K)
  GemmOperand b;            // (K, N)
  bool b_packed = false;    // b.data was filled by pack_b of the same ISA; b.batch strides then count packed floats
  float* c = nullptr;       // (M, N), rows contiguous, ldc apart
  Index ldc = 0;
  Index c_batch[2] = {0, 0};
  bool accumulate = false;  // C += A · B instead of C = A · B
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

// So many rows of A (or columns of B) go to kernels that stream the other operand where it lies.
inline constexpr Index kGemmFewRows = 4;

// Whether packing B ahead saves a product of these sizes anything.
constexpr bool wants_packed_b(const GemmArgs& args) {
  return args.M > kGemmFewRows && args.N > kGemmFewRows && args.K > 0;
}

// The same product in double precision, for references and f64 graphs: correct and threaded, without packing.
struct GemmF64Args {
  Index M = 0, N = 0, K = 0;
  Index batch[2] = {1, 1};
  const double* a = nullptr;  // element (i, k) at a[b0 * a_batch[0] + b1 * a_batch[1] + i * a_row + k * a_col]
  Index a_row = 0, a_col = 0, a_batch[2] = {0, 0};
  const double* b = nullptr;
  Index b_row = 0, b_col = 0, b_batch[2] = {0, 0};
  double* c = nullptr;  // (M, N), rows contiguous, ldc apart
  Index ldc = 0, c_batch[2] = {0, 0};
  bool accumulate = false;
};

struct GemmKernels {
  int mr = 0;  // rows of a register tile: an A panel has at most this many
  int nr = 0;  // columns of a B panel
  int kc = 0;  // the longest block of K

  // Bytes that run() needs for args with up to `workers` workers; the memory must be 64-byte aligned. Only the sizes, strides
  // and the presence of callbacks in args count, not the pointers' values.
  Index (*workspace)(const GemmArgs& args, int workers) = nullptr;
  void (*run)(const GemmArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // Packing B once for many products. Floats for one batch entry of B; pack_b packs one entry (args.b at batch (0, 0) of
  // sizes K, N) into dst, 64-byte aligned. Only N, K and b of args are read.
  Index (*packed_size)(Index K, Index N) = nullptr;
  void (*pack_b)(const GemmArgs& args, float* dst, Parallel& parallel) = nullptr;

  void (*run_f64)(const GemmF64Args& args, Parallel& parallel) = nullptr;
};

}  // namespace athanor
