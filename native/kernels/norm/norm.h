// Layer norm (Ba et al. 2016), RMS norm (Zhang and Sennrich 2019) and batch norm (Ioffe and Szegedy 2015), f32.
//
//   layer norm   y = (x - mean) rstd gamma + beta over each row, rstd = 1 / sqrt(var + eps), var biased
//   RMS norm     y = x rstd gamma, rstd = 1 / sqrt(mean(x^2) + eps)
//   batch norm   the same as layer norm over (n, l) of x (N, C, L) for each channel; L = H W, or 1 for (N, C)
// Means and variances are accumulated in two passes over a cached row, or in f64 blocks over a channel; gamma and beta are optional (null: 1 and 0).
// dgamma and dbeta are summed over fixed chunks of rows in fixed order: the same bits for any number of workers.
#pragma once
#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

enum class NormKind : std::uint8_t { layer, rms };

struct NormArgs {
  NormKind kind = NormKind::layer;
  Index rows = 0, cols = 0;
  float eps = 1e-5f;
  const float* x = nullptr;      // (rows, cols)
  const float* gamma = nullptr;  // (cols) or null
  const float* beta = nullptr;   // (cols) or null; not for rms
  float* y = nullptr;            // (rows, cols); may be x
  float* mean = nullptr;         // (rows), saved for backward; null where not wanted; not for rms
  float* rstd = nullptr;         // (rows), the same
};

struct NormBackwardArgs {
  NormKind kind = NormKind::layer;
  Index rows = 0, cols = 0;
  const float* x = nullptr;      // (rows, cols)
  const float* gamma = nullptr;  // (cols) or null
  const float* mean = nullptr;   // (rows), from the forward call; not for rms
  const float* rstd = nullptr;   // (rows)
  const float* dy = nullptr;     // (rows, cols)
  float* dx = nullptr;           // (rows, cols); may be dy; null where not wanted
  float* dgamma = nullptr;       // (cols); null where not wanted
  float* dbeta = nullptr;        // (cols); null where not wanted
};

struct BatchNormArgs {
  Index n = 0, c = 0, l = 1;  // x is (N, C, L)
  float eps = 1e-5f;
  const float* x = nullptr;      // (N, C, L)
  const float* gamma = nullptr;  // (C) or null
  const float* beta = nullptr;   // (C) or null
  float* y = nullptr;            // (N, C, L); may be x
  float* mean = nullptr;         // (C), of this batch
  float* var = nullptr;          // (C), biased, of this batch: for the caller's running statistics
  float* rstd = nullptr;         // (C), saved for backward
};

struct BatchNormBackwardArgs {
  Index n = 0, c = 0, l = 1;
  const float* x = nullptr;      // (N, C, L)
  const float* gamma = nullptr;  // (C) or null
  const float* mean = nullptr;   // (C)
  const float* rstd = nullptr;   // (C)
  const float* dy = nullptr;     // (N, C, L)
  float* dx = nullptr;           // (N, C, L); may be dy; null where not wanted
  float* dgamma = nullptr;       // (C); null where not wanted
  float* dbeta = nullptr;        // (C); null where not wanted
};

struct NormKernels {
  void (*forward)(const NormArgs& args, Parallel& parallel) = nullptr;

  // Bytes, 64-byte aligned; only sizes and which of dx, dgamma, dbeta are null count.
  Index (*backward_workspace)(const NormBackwardArgs& args) = nullptr;
  void (*backward)(const NormBackwardArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // Training mode: statistics of this batch, then y.
  Index (*batch_forward_workspace)(const BatchNormArgs& args) = nullptr;
  void (*batch_forward)(const BatchNormArgs& args, Parallel& parallel, void* workspace) = nullptr;
  Index (*batch_backward_workspace)(const BatchNormBackwardArgs& args) = nullptr;
  void (*batch_backward)(const BatchNormBackwardArgs& args, Parallel& parallel, void* workspace) = nullptr;
};

}  // namespace athanor
