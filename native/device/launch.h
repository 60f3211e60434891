// What the launchers of a device plugin take (device/plugin.h): one plain struct for each kernel family. Most hold the struct of the
// CPU kernel for the same work; here stands what a device needs beside it.
#pragma once
#include <cstdint>

#include "base/dtype.h"
#include "base/index.h"
#include "device/optim_launch.h"
#include "device/run_record.h"
#include "kernels/attention/attention.h"
#include "kernels/conv/conv.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/movement/movement.h"
#include "kernels/norm/norm.h"
#include "kernels/pool/pool.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"

namespace athanor::device {

// args.program.code and operand_types lie in host memory. Random numbers take run's keys where run is given, else args.random's.
struct Elementwise {
  EwArgs args;
  const RunRecord* run = nullptr;
};

// What is done to every element of a product or convolution while it is in registers. args.shape is the result's shape (row-major: its
// linear index finds the operands). A load of operand `raw` gives the element as computed. Only what the program stores is
// written: the kernel's own result pointer is not. Programs compute in f32.
struct Epilogue {
  EwArgs args;
  int raw = -1;  // -1: no epilogue
  const RunRecord* run = nullptr;
};

struct Reduce {
  ReduceArgs args;
};

struct MatmulOperand {
  const void* data = nullptr;
  DType dtype = DType::f32;  // f32, bf16 or f64
  Index row = 0, col = 0;    // strides in elements
  Index batch[2] = {0, 0};
};

// How products of f32 operands are formed. exact: as f32 fma. tf32: inputs rounded to 10 bits. tf32x3: three tf32 products, about f32's accuracy.
// bf16: inputs rounded to 8 bits. Sums are f32 in all.
enum class Precision : std::uint8_t { exact, tf32x3, tf32, bf16 };

// c[b0, b1, m, n] = Σ a[b0, b1, m, k] b[b0, b1, k, n]; K = 0 gives zeros. f64 operands take a f64 c and no epilogue.
struct Matmul {
  Index M = 0, N = 0, K = 0;
  Index batch[2] = {1, 1};
  MatmulOperand a;    // (M, K)
  MatmulOperand b;    // (K, N)
  void* c = nullptr;  // (M, N), rows contiguous, ldc apart
  DType c_dtype = DType::f32;
  Index ldc = 0;
  Index c_batch[2] = {0, 0};
  Precision precision = Precision::exact;
  bool accumulate = false;  // c += …; not with an epilogue
  Epilogue epilogue;  // over (batch 0, batch 1, M, N) or any shape of the same elements in that order; needs c dense
};

// x[outer, cols, inner]: softmax runs along cols.
struct Softmax {
  SoftmaxArgs args;  // rows = outer · inner
  Index inner = 1;
};
struct SoftmaxGrad {
  SoftmaxBackwardArgs args;
  Index inner = 1;
};

// One read of the logits: loss, log-sum-exp and, where dx is given, the gradient.
struct CrossEntropy {
  CrossEntropyArgs args;
  float* loss = nullptr;         // (rows)
  float* lse = nullptr;          // (rows)
  float* counted = nullptr;      // (): rows that are not ignored
  const float* dloss = nullptr;  // (rows) or one for all; read only where dx is wanted
  Index dloss_stride = 0;        // 1 or 0
  float* dx = nullptr;           // (rows, classes), or null
  Check check;
};
struct CrossEntropyGrad {
  CrossEntropyArgs args;
  const float* lse = nullptr;
  const float* dloss = nullptr;
  Index dloss_stride = 1;
  float* dx = nullptr;
};

struct Copy {
  kernels::StridedCopy args;
};
struct Pad {
  kernels::Pad args;  // args.value: host memory
};
struct Fill {
  kernels::Fill args;  // args.value: host memory
};
struct GatherRows {
  kernels::GatherRows args;
  Check check;
};
struct ScatterAddRows {
  kernels::ScatterAddRows args;
  Check check;
};
struct Gather {
  kernels::Gather args;
  Check check;
};
struct ScatterAdd {
  kernels::ScatterAdd args;
  Check check;
};
struct OneHot {
  kernels::OneHot args;
  Check check;
};
struct Range {
  kernels::Range args;
};

// args.first is added to run->row where run is given. With an index, the rows are index[first], index[first + 1], …
struct BatchGather {
  kernels::BatchGather args;
  const RunRecord* run = nullptr;
};

// An effect: to = from, unless the run has failed.
struct Assign {
  void* to = nullptr;
  const void* from = nullptr;
  Index bytes = 0;
  Check check;
};

struct Norm {
  NormArgs args;
};
struct NormGrad {
  NormBackwardArgs args;
};
struct BatchNorm {
  BatchNormArgs args;
};
struct BatchNormGrad {
  BatchNormBackwardArgs args;
};

// Max where `max`, else average. Taps as in kernels/pool/pool.h.
struct Pool {
  bool max = true;
  PoolShape shape;
  bool count_padding = true;
  const float* x = nullptr;  // (N, C, H, W)
  float* y = nullptr;        // (N, C, OH, OW)
  PoolTaps taps;
  Epilogue epilogue;
};
struct PoolGrad {
  bool max = true;
  PoolShape shape;
  bool count_padding = true;
  const float* dy = nullptr;
  PoolTaps taps;
  float* dx = nullptr;  // all of it written
  Epilogue epilogue;
};

struct Conv {
  ConvForwardArgs args;  // w as it is, never packed
  Precision precision = Precision::exact;
  Epilogue epilogue;
};
struct ConvGradInput {
  ConvBackwardDataArgs args;
  Precision precision = Precision::exact;
  Epilogue epilogue;
};
struct ConvGradWeight {
  ConvBackwardWeightsArgs args;
  Precision precision = Precision::exact;
};

struct Attention {
  AttentionForward args;
  Precision precision = Precision::exact;
};
struct AttentionGrad {
  AttentionBackward args;
  Precision precision = Precision::exact;
};

// y = x where x is a whole number of i32, else the run fails. x: f32, f64 or bf16.
struct ExactI32 {
  const void* x = nullptr;
  DType dtype = DType::f32;
  std::int32_t* y = nullptr;
  Index n = 0;
  Check check;
};
struct CheckedI32 {
  const std::int32_t* x = nullptr;
  std::int32_t* y = nullptr;
  Index n = 0;
  bool nonzero = false;  // else: not negative
  Check check;
};
// y = 1 for the *k largest of each row, of equal values the first.
struct TopMask {
  const float* x = nullptr;
  const std::int32_t* k = nullptr;
  std::uint8_t* y = nullptr;
  Index rows = 0, width = 0;
  Check check;
};
struct NearestEntry {
  const float* x = nullptr;
  const float* table = nullptr;  // (entries), ascending
  std::int32_t* y = nullptr;
  Index n = 0, entries = 0;
  Check check;
};

// Sets the record: keys, counters, no status. By value, so that it cannot be captured usefully: it stands before a graph's launch.
struct Begin {
  RunRecord* run = nullptr;
  std::uint64_t seed = 0, step = 0;
  std::int64_t row = 0;
};

// The end of a turn: step + 1, turn + 1, row + rows, unless the run has failed or was told to stop.
struct Advance {
  RunRecord* run = nullptr;
  Index rows = 0;
};

// to + turn · to_stride = from + turn · from_stride, `bytes` long: a step's row of hyper-parameters, a batch of collected outputs.
struct TurnCopy {
  void* to = nullptr;
  const void* from = nullptr;
  Index bytes = 0, to_stride = 0, from_stride = 0;  // in bytes
  const RunRecord* run = nullptr;
};

// ring[turn, offset + i] = x[i] as f64. guard: where the last of them is not 0, the loop is told to stop after this turn.
struct Record {
  double* ring = nullptr;  // (turns, width)
  const void* x = nullptr;
  DType dtype = DType::f32;
  Index n = 0, offset = 0, width = 0;
  bool guard = false;
  RunRecord* run = nullptr;
};

}  // namespace athanor::device
