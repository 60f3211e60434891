"""The same work by the PyTorch that is there: one line a row, name, value, unit and remark between tabs."""

import statistics
import time

import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
small = device == "cpu"  # a dry run


def seconds(work):
    def once(repeats):
        if device == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            for _ in range(repeats):
                work()
            end.record()
            torch.cuda.synchronize()
            return begin.elapsed_time(end) / 1000 / repeats
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        return (time.perf_counter() - start) / repeats

    first = once(1 if small else 3)
    repeats = 1 if small else int(min(2000, max(3, 0.05 / max(first, 1e-7))))
    return statistics.median(once(repeats) for _ in range(1 if small else 7))


def row(name, make):
    try:
        value, unit, remark = make()
        print(f"{name}\t{value:.4g}\t{unit}\t{remark}", flush=True)
    except Exception as error:  # a row, not an abort
        print(f"{name}\tfailed\t\t{str(error).splitlines()[0][:160]}", flush=True)


def copy():
    a = torch.zeros(1 << (16 if small else 28), device=device)
    b = torch.empty_like(a)
    return 8 * a.numel() / seconds(lambda: b.copy_(a)) / 1e9, "GB/s", "read and written"


def adamw(elements, tensors, **options):
    def make():
        params = [torch.zeros(elements // tensors, device=device) for _ in range(tensors)]
        for p in params:
            p.grad = torch.zeros_like(p)
        optimizer = torch.optim.AdamW(params, fused=device == "cuda", **options)
        took = seconds(optimizer.step)
        if tensors > 1:
            return took * 1e6, "us", "fused"
        return 28 * elements / took / 1e9, "GB/s", "fused"

    return make


def rows_of(function, rows=16384, cols=4096):
    def make():
        x = torch.zeros(8 if small else rows, cols, device=device)
        return 8 * x.numel() / seconds(lambda: function(x)) / 1e9, "GB/s", ""

    return make


def gemm(dtype, n):
    def make():
        size = 64 if small else n
        a = torch.zeros(size, size, device=device, dtype=dtype)
        b = torch.zeros_like(a)
        return 2 * size**3 / seconds(lambda: a @ b) / 1e12, "TFLOP/s", "of zeros"

    return make


def attention():
    tokens = 64 if small else 2048
    q, k, v = (torch.zeros(4, 16, tokens, 64, device=device, dtype=torch.bfloat16) for _ in range(3))
    work = lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return 2 * 4 * 16 * tokens * tokens * 64 / seconds(work) / 1e12, "TFLOP/s", "causal, bf16"


def mlp_step():
    model = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=device == "cuda")
    x, y = torch.zeros(64, 784, device=device), torch.zeros(64, dtype=torch.long, device=device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return seconds(step) * 1e6, "us", "eager, 784-512-10, batch 64"


torch.backends.cuda.matmul.allow_tf32 = False
functional = torch.nn.functional
row("copy", copy)
row("adamw 124M", adamw(20_000 if small else 124_000_000, 1))
row("adamw 2,000 tensors", adamw(20_000 if small else 2_000_000, 20 if small else 2000))
row("layer norm 16384 x 4096", rows_of(lambda x: functional.layer_norm(x, (4096,))))
row("softmax 16384 x 4096", rows_of(lambda x: torch.softmax(x, -1)))
row("gelu 16384 x 4096", rows_of(lambda x: functional.gelu(x, approximate="tanh")))
row("gemm bf16 8192", gemm(torch.bfloat16, 8192))
row("gemm f32 4096", gemm(torch.float32, 4096))
row("attention 4 x 16 x 2048 x 64", attention)
row("training step of a small network", mlp_step)
