"""y[M, N] = x[M, K] · W[N, K]ᵀ with int8 weights for each channel on PyTorch: x is rounded to bytes by its own range in every
call (linear_dynamic). `--form onednn` is oneDNN; `--form fbgemm` the faster of the other engines that PyTorch has on x86."""

import torch

import side

N = K = 4096


def linear(engine, w, reduce_range):
    """The product on an engine; reduce_range leaves x 7 bits, as fbgemm's sums of 16 bits ask for without VNNI."""
    torch.backends.quantized.engine = engine
    scales = w.abs().amax(1).double() / 127
    integers = torch.quantize_per_channel(w, scales, torch.zeros(N, dtype=torch.long), 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(integers, None)

    def run(x):
        torch.backends.quantized.engine = engine
        return torch.ops.quantized.linear_dynamic(x, packed, reduce_range)

    return run


def agrees(product, x, w):
    """Whether a product is that of the floats to int8 rounding, at 3 % of its norm."""
    exact = x @ w.t()
    return (product(x) - exact).norm() < 0.03 * exact.norm()


def main():
    options = side.arguments("quant", form={"default": "onednn", "choices": ["onednn", "fbgemm"]})
    x, w = torch.randn(side.CASES["quant"][options.case]["M"], K), torch.randn(N, K)
    engines = ["onednn"] if options.form == "onednn" else ["x86", "fbgemm"]
    products = {
        f"{engine}, {bits} bits": linear(engine, w, bits == 7)
        for engine in engines
        if engine in torch.backends.quantized.supported_engines
        for bits in (8, 7)
    }
    right = {name: product for name, product in products.items() if agrees(product, x, w)}
    side.serve("quant", options, {name: lambda p=product: p(x) for name, product in right.items()}, options.form)


if __name__ == "__main__":
    main()
