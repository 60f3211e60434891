"""Operations that are easy to get subtly wrong: float32-exact inputs, float64 outputs and gradients for a given dy.

A case has `inputs`, `options`, `outputs` (the first one is y) and `gradients` (of Σ y · dy with respect to the named inputs).
"""

import torch
import torch.nn.functional as F

from store import Store, drawn


class Operations:
    def __init__(self):
        self.store = Store("operations", __doc__.strip())
        self.generator = torch.Generator().manual_seed(7)

    def draw(self, *shape, scale=1.0):
        return drawn(self.generator, *shape, scale=scale)

    def integers(self, high, *shape):
        return torch.randint(0, high, shape, generator=self.generator)

    def add(self, name, op, run, inputs, options=None, wanted=None):
        """run(**inputs) gives y or a dict whose first entry is y; gradients for all float inputs, or those in `wanted`."""
        wanted = [n for n, t in inputs.items() if t.is_floating_point()] if wanted is None else wanted
        leaves = {n: t.clone().requires_grad_(n in wanted) for n, t in inputs.items()}
        outputs = run(**leaves)
        outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
        y = outputs["y"]
        dy = self.draw(*y.shape)
        gradients = torch.autograd.grad((y * dy).sum(), [leaves[n] for n in wanted]) if wanted else []
        put = self.store.put
        kinds = {n: "float32" if t.is_floating_point() else "int32" for n, t in inputs.items()}
        self.store.add({
            "name": name, "op": op, "options": options or {},
            "inputs": {n: put(f"{name}/inputs/{n}", t, kinds[n]) for n, t in inputs.items()},
            "dy": put(f"{name}/dy", dy, "float32"),
            "outputs": {n: put(f"{name}/outputs/{n}", t) for n, t in outputs.items()},
            "gradients": {n: put(f"{name}/gradients/{n}", g) for n, g in zip(wanted, gradients)},
        })  # fmt: skip


def activations(ops):
    x = torch.cat([ops.draw(60, scale=2), torch.tensor([0.0, -12.0, 12.0, -5.5, 5.5, 1e-4, -1e-4], dtype=torch.float64)])
    x = x.float().double()
    for form in ("none", "tanh"):
        name = "gelu-erf" if form == "none" else "gelu-tanh"
        ops.add(name, "gelu", lambda x: F.gelu(x, approximate=form), {"x": x}, {"approximate": form})
    ops.add("silu", "silu", lambda x: F.silu(x), {"x": x})
    ops.add("elu", "elu", lambda x: F.elu(x, 0.7), {"x": x}, {"alpha": 0.7})
    ops.add("softplus", "softplus", lambda x: F.softplus(x), {"x": torch.cat([x, torch.tensor([30.0, -30.0, 90.0, -90.0]).double()])})
    wide = ops.draw(4, 9, scale=30).float().double()
    ops.add("softmax-wide", "softmax", lambda x: x.softmax(-1), {"x": wide}, {"axis": -1})
    ops.add("softmax-first-axis", "softmax", lambda x: x.softmax(0), {"x": wide}, {"axis": 0})
    ops.add("log-softmax-wide", "logSoftmax", lambda x: x.log_softmax(-1), {"x": wide}, {"axis": -1})


def cross_entropy(ops):
    for name, options in {
        "plain": {},
        "sum": {"reduction": "sum"},
        "none": {"reduction": "none"},
        "smoothing": {"label_smoothing": 0.1},
        "ignore": {"ignore_index": 2},
        "ignore-negative": {"ignore_index": -100},
        "ignore-smoothing": {"ignore_index": 2, "label_smoothing": 0.2},
        "ignore-none": {"ignore_index": 2, "reduction": "none", "label_smoothing": 0.2},
    }.items():
        target = ops.integers(5, 11)
        target[:4] = torch.tensor([2, 0, 4, 2])
        if name == "ignore-negative":
            target[[1, 5, 6]] = -100
        run = lambda logits, target, options=options: F.cross_entropy(logits, target.long(), **options)
        ops.add(f"cross-entropy-{name}", "crossEntropy", run, {"logits": ops.draw(11, 5, scale=3), "target": target}, options)


def norms(ops):
    for name, shape in (("small", (5, 7)), ("batched", (2, 3, 16)), ("wide", (3, 257))):
        C = shape[-1]
        inputs = {"x": ops.draw(*shape) + 3, "weight": ops.draw(C), "bias": ops.draw(C)}
        inputs["x"] = inputs["x"].float().double()
        ops.add(
            f"layer-norm-{name}", "layerNorm", lambda x, weight, bias, C=C: F.layer_norm(x, (C,), weight, bias, 1e-5),
            inputs, {"eps": 1e-5},
        )  # fmt: skip
        ops.add(
            f"rms-norm-{name}", "rmsNorm", lambda x, weight, C=C: F.rms_norm(x, (C,), weight, 1e-6),
            {"x": inputs["x"], "weight": inputs["weight"]}, {"eps": 1e-6},
        )  # fmt: skip
    for name, shape in (("2d", (4, 3, 5, 6)), ("1d", (9, 7))):
        C = shape[1]
        inputs = {
            "x": (ops.draw(*shape) * 2 + 1).float().double(), "weight": ops.draw(C), "bias": ops.draw(C),
            "runningMean": ops.draw(C), "runningVar": (ops.draw(C).abs() + 0.5).float().double(),
        }  # fmt: skip
        wanted = ["x", "weight", "bias"]

        def run(x, weight, bias, runningMean, runningVar, training):
            mean, var = runningMean.clone(), runningVar.clone()
            y = F.batch_norm(x, mean, var, weight, bias, training, 0.1, 1e-5)
            return {"y": y, "runningMean": mean, "runningVar": var}

        for training in (True, False):
            ops.add(
                f"batch-norm-{name}-{'train' if training else 'eval'}", "batchNorm",
                lambda training=training, **inputs: run(**inputs, training=training),
                inputs, {"eps": 1e-5, "momentum": 0.1, "training": training}, wanted,
            )  # fmt: skip


def pools(ops):
    ties = (ops.draw(2, 3, 7, 8) * 1.5).round().relu()  # repeated values, many zeros: the first maximum takes the gradient
    for name, options in {
        "2": {"kernel_size": 2},
        "3-stride-2-padding": {"kernel_size": 3, "stride": 2, "padding": 1},
        "uneven": {"kernel_size": [2, 3], "stride": [1, 2], "padding": [1, 0]},
        "overlap": {"kernel_size": 3, "stride": 1, "padding": 1},
    }.items():
        pool = lambda x, options=options: F.max_pool2d(x, **options)
        ops.add(f"max-pool-{name}", "maxPool2d", pool, {"x": ops.draw(2, 3, 7, 8)}, options)
        ops.add(f"max-pool-{name}-ties", "maxPool2d", pool, {"x": ties}, options)
        for counted in (True, False):
            options = {**options, "count_include_pad": counted}
            average = lambda x, options=options: F.avg_pool2d(x, **options)
            suffix = "" if counted else "-exclude-padding"
            ops.add(f"avg-pool-{name}{suffix}", "avgPool2d", average, {"x": ops.draw(2, 3, 7, 8)}, options)


def convolutions(ops):
    for name, (x, w, options) in {
        "plain": ((2, 3, 7, 8), (4, 3, 3, 3), {}),
        "stride-padding": ((2, 3, 8, 7), (5, 3, 3, 3), {"stride": 2, "padding": 1}),
        "dilation": ((1, 2, 11, 10), (3, 2, 3, 3), {"dilation": 2, "padding": 2}),
        "groups": ((2, 6, 6, 6), (9, 2, 3, 3), {"groups": 3, "padding": 1}),
        "depthwise": ((2, 8, 9, 9), (8, 1, 3, 3), {"groups": 8, "padding": 1, "stride": 2}),
        "pointwise": ((3, 5, 4, 6), (7, 5, 1, 1), {}),
        "uneven": ((1, 4, 9, 12), (6, 2, 2, 5), {"stride": [2, 3], "padding": [1, 2], "dilation": [3, 1], "groups": 2}),
        "kernel-5": ((2, 2, 12, 12), (3, 2, 5, 5), {"padding": 2}),
    }.items():
        inputs = {"x": ops.draw(*x), "weight": ops.draw(*w, scale=0.5), "bias": ops.draw(w[0])}
        run = lambda x, weight, bias, options=options: F.conv2d(x, weight, bias, **options)
        ops.add(f"conv2d-{name}", "conv2d", run, inputs, options)


def attention(ops):
    for name, (q, kv, options) in {
        "causal": ((2, 2, 7, 8), (2, 2, 7, 8), {"is_causal": True}),
        "full": ((1, 3, 5, 4), (1, 3, 9, 4), {"is_causal": False}),
        "causal-gqa": ((2, 6, 10, 8), (2, 2, 10, 8), {"is_causal": True, "enable_gqa": True}),
        "causal-mqa": ((1, 4, 6, 8), (1, 1, 6, 8), {"is_causal": True, "enable_gqa": True}),
        "scale": ((1, 2, 6, 8), (1, 2, 6, 8), {"is_causal": True, "scale": 0.2}),
        "long": ((1, 1, 70, 4), (1, 1, 70, 4), {"is_causal": True}),
    }.items():
        inputs = {"q": ops.draw(*q, scale=2), "k": ops.draw(*kv, scale=2), "v": ops.draw(*kv)}
        run = lambda q, k, v, options=options: F.scaled_dot_product_attention(q, k, v, **options)
        ops.add(f"attention-{name}", "attention", run, inputs, options)


def indices(ops):
    repeated = torch.tensor([[3, 3, 0], [5, 3, 0], [5, 1, 3]])
    ops.add("embedding", "embedding", lambda table, index: F.embedding(index, table), {"table": ops.draw(6, 4), "index": repeated})
    ops.add(
        "gather", "gather", lambda x, index: x.gather(1, index), {"x": ops.draw(3, 5), "index": ops.integers(5, 3, 7)}, {"axis": 1}
    )
    ops.add(
        "scatter-add", "scatterAdd", lambda x, index, source: x.scatter_add(0, index, source),
        {"x": ops.draw(4, 3), "index": ops.integers(4, 6, 3), "source": ops.draw(6, 3)}, {"axis": 0},
    )  # fmt: skip


def in_order(result):
    return {"y": result.values, "places": result.indices.double()}


def further(ops):
    x = ops.draw(40, scale=3)
    for name, f in {"softsign": F.softsign, "hardswish": F.hardswish, "mish": F.mish, "selu": F.selu}.items():
        ops.add(name, name, lambda x: f(x), {"x": x})
    ops.add("cumsum", "cumsum", lambda x: x.cumsum(1), {"x": ops.draw(3, 50, 2)}, {"axis": 1})
    ops.add("cumsum-reversed", "cumsum", lambda x: x.flip(0).cumsum(0).flip(0), {"x": ops.draw(7, 4)}, {"axis": 0, "reverse": True})
    for name, options in {"ascending": {}, "descending": {"descending": True}}.items():
        run = lambda x: in_order(torch.sort(x, dim=1, **options, stable=True))
        ops.add(f"sort-{name}", "sort", run, {"x": ops.draw(3, 20, 2)}, {"axis": 1, **options})
    for name, largest in {"largest": True, "smallest": False}.items():
        run = lambda x: in_order(torch.topk(x, 4, 0, largest))
        ops.add(f"topk-{name}", "topk", run, {"x": ops.draw(11, 3)}, {"axis": 0, "k": 4, "largest": largest})


EQUATIONS = {
    "matrix product": ("ij,jk->ik", (3, 4), (4, 5)),
    "implicit": ("ij,jk", (3, 4), (4, 5)),
    "batched, moved": ("bij,kbj->bki", (2, 3, 4), (5, 2, 4)),
    "outer": ("i,j->ji", (3,), (4,)),
    "inner": ("ij,ij->", (3, 4), (3, 4)),
    "trace": ("ii->", (4, 4)),
    "diagonal of three": ("bii->ib", (2, 3, 3)),
    "sum": ("ijk->j", (2, 3, 4)),
    "attention": ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    "ellipsis": ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    "ellipsis summed": ("...i,i->...", (2, 3, 4), (4,)),
    "three": ("ia,ab,jb->ij", (2, 3), (3, 4), (5, 4)),
    "elementwise": ("ij,ij->ij", (3, 4), (3, 4)),
    "one broadcast": ("ij,j->ij", (3, 1), (4,)),
    "a scalar": (",ij->ji", (), (2, 3)),
}


def sums(ops):
    for name, (equation, *shapes) in EQUATIONS.items():
        inputs = {f"x{i}": ops.draw(*shape) for i, shape in enumerate(shapes)}
        ops.add(f"einsum-{name}", "einsum", lambda **x: torch.einsum(equation, *x.values()), inputs, {"equation": equation})


def golden():
    ops = Operations()
    for family in (activations, cross_entropy, norms, pools, convolutions, attention, indices, further, sums):
        family(ops)
    return ops.store
