"""f32 matrix products on PyTorch (MKL): Y[M, N] = X[M, K] · W[K, N], or against a transposed W as in a linear layer."""

import torch

import side


def main():
    options = side.arguments("gemm")
    M, N, K = map(int, options.case.split("x"))
    x, w, y = torch.randn(M, K), torch.randn(K, N), torch.empty(M, N)
    wt = w.t().contiguous()  # (N, K)
    run = {"plain": lambda: torch.mm(x, w, out=y), "transposed": lambda: torch.mm(x, wt.t(), out=y)}
    side.serve("gemm", options, run)


if __name__ == "__main__":
    main()
