"""Values and gradients at special points, in float64: kinks, bounds, ties, zeros, large values, infinities, NaN, masked rows.

Inputs are float32-exact. A case has `of` (the entry of test/ops/special that it belongs to), `attrs` in our names, `inputs` in order,
`output`, and `gradients`: the index of each differentiated input, with the gradient of Σ output · dy. dy is never 0.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from store import Store

INF, NAN = math.inf, math.nan
POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, 1e-4, -1e-4, 1e-30, -1e-30, 3.0, -3.0, 20.0, -20.0, 30.0, -30.0, 88.0, -88.0]
POINTS += [104.0, -104.0, 1e3, -1e3, 1e10, -1e10, 1e30, -1e30, INF, -INF, NAN]
PAIRED = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, 1e-20, 1e15, -1e15, INF, -INF, NAN]


def exact(values, dtype=torch.float64):
    return torch.tensor(np.asarray(values, dtype=np.float32)).to(dtype)


class Special:
    def __init__(self):
        self.store = Store("special", __doc__.strip())
        self.names = set()

    def add(self, of, run, inputs, attrs=None, wrt=None, name=None):
        """`wrt`: indices of the inputs that have a gradient; all of floating point when left out."""
        tensors = [x if isinstance(x, torch.Tensor) else exact(x) for x in inputs]
        if wrt is None:
            wrt = [i for i, x in enumerate(tensors) if x.is_floating_point()]
        leaves = [x.clone().requires_grad_(i in wrt) for i, x in enumerate(tensors)]
        output = run(*leaves)
        name = f"{of}/{name or ''}"
        while name in self.names:
            name += "+"
        self.names.add(name)
        put, gradients = self.store.put, {}
        if wrt:
            dy = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64).repeat(output.numel() // 4 + 1)[: output.numel()]
            dy = dy.reshape(output.shape)
            for i, g in zip(wrt, torch.autograd.grad(output, [leaves[i] for i in wrt], dy, allow_unused=True)):
                gradients[str(i)] = put(f"{name}/d{i}", torch.zeros_like(leaves[i]) if g is None else g)
        kinds = lambda x: "float32" if x.is_floating_point() else "uint8" if x.dtype == torch.bool else "int32"
        self.store.add({
            "name": name, "of": of, "attrs": attrs or {},
            "inputs": [put(f"{name}/x{i}", x, kinds(x)) for i, x in enumerate(tensors)],
            "types": ["bool" if x.dtype == torch.bool else "i32" if not x.is_floating_point() else "float" for x in tensors],
            "output": put(f"{name}/y", output.double()), "gradients": gradients,
        })  # fmt: skip


def elementwise(special):
    gelu_tanh = lambda x: F.gelu(x, approximate="tanh")
    for name, f in {
        "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "exp": torch.exp, "expm1": torch.expm1, "log": torch.log,
        "log1p": torch.log1p, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "square": torch.square, "reciprocal": torch.reciprocal,
        "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu, "gelu": F.gelu,
        "gelu_tanh": gelu_tanh, "silu": F.silu, "softplus": lambda x: F.softplus(x, threshold=40), "erf": torch.erf,
        "softsign": F.softsign, "hardswish": F.hardswish, "mish": F.mish, "selu": F.selu,
        "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "cast": lambda x: x.clone(),
        "broadcast_to": lambda x: x.expand(2, len(POINTS)), "ops.elu": F.elu, "ops.leakyRelu": F.leaky_relu,
        "tensor.clamp": lambda x: x.clamp(-1, 1), "tensor.expandDims": lambda x: x[None],
        "stop_gradient": lambda x: x.detach() + 0 * torch.where(torch.isfinite(x), x, 0).detach().sum(),
    }.items():  # fmt: skip
        attrs = {"cast": {"dtype": "f64"}, "broadcast_to": {"shape": [2, len(POINTS)]}, "tensor.clamp": {"low": -1, "high": 1}}
        special.add(name, f, [POINTS], attrs.get(name), wrt=[] if name == "stop_gradient" else None)
    special.add("tensor.clamp", lambda x: x.clamp(0, 0), [POINTS], {"low": 0, "high": 0}, name="one value")
    for name, f in {"logical_not": lambda x: ~x.bool(), "is_finite": torch.isfinite, "is_nan": torch.isnan}.items():
        special.add(name, f, [POINTS], wrt=[])
    a, b = (x.reshape(-1) for x in np.meshgrid(PAIRED, PAIRED))
    for name, f in {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "minimum": torch.minimum,
        "maximum": torch.maximum, "mod": torch.remainder,
    }.items():  # fmt: skip
        # Beyond 2^24 float32 knows no odd exponent; with an infinity, a / b is not what the remainder was taken of.
        here = {"pow": np.abs(b) != 1e15, "mod": np.isfinite(a) & np.isfinite(b)}.get(name, np.full(a.shape, True))
        special.add(name, f, [a[here], b[here]])
    special.add("mod", torch.remainder, [a, b], wrt=[], name="values")
    for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"):
        special.add(name, getattr(torch, name), [a, b], wrt=[])
    keep = torch.tensor([True, False] * 8)
    left = [0.0, NAN, 1.0, INF, -1.0, -INF, 2.0, NAN] * 2
    special.add("where", torch.where, [keep, left, [NAN, 5.0, INF, 6.0, -INF, 7.0, NAN, 8.0] * 2])
    low, high = [0.0, 0.0, -1.0, 1.0, -1.0, -INF, 0.0, 2.0], [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, INF, 3.0]
    x = [0.0, 0.0, 1.0, 1.0, NAN, 0.0, INF, 0.5]
    special.add("tensor.clamp", torch.clamp, [x, low, high], name="tensors", wrt=[0])
    special.add("tensor.clamp", torch.clamp, [[0.0, 0.0, 2.0], [NAN, -1.0, 3.0], [1.0, NAN, 4.0]], name="bounds of NaN", wrt=[])


ROWS = [[1, 1, 1, 1], [0, 0, 0, 0], [-0.0, 0, -0.0, 0], [2, 3, 3, 1], [-1, -1, -2, -1], [INF, 1, INF, 0], [-INF, -INF, 3, -INF]]
ROWS += [[NAN, 1, 2, 3], [1, NAN, INF, 2], [1e10, -1e10, 1, 0], [1e15, 1e15, 1e15, 1e15], [-INF, -INF, -INF, -INF], [1e-10, 0, 0, 0]]
TAME = [row for row in ROWS if all(math.isfinite(v) for v in row)]
FAR = [[1e5 + 0.1] * 5, [-12345.678] * 5, [16777217.0] * 5, [0.1] * 5, [1e5, 1e5 + 1, 1e5 + 2, 1e5 - 1, 1e5 - 2], [0.0] * 5, [1e-20] * 5]


def reductions(special):
    for axes in ([1], [0], [0, 1]):
        attrs = {"axes": axes}
        for name, f in {
            "sum": lambda x: x.sum(axes), "mean": lambda x: x.mean(axes), "max": lambda x: x.amax(axes), "min": lambda x: x.amin(axes),
        }.items():  # fmt: skip
            special.add(name, f, [ROWS], attrs)
            special.add(name, f, [TAME], attrs, name="finite")
        special.add("tensor.norm", lambda x: torch.linalg.vector_norm(x, dim=axes), [TAME], attrs)
        special.add("tensor.variance", lambda x: x.var(axes, correction=0), [FAR], attrs)
    special.add("tensor.norm", lambda x: torch.linalg.vector_norm(x, dim=1), [np.zeros((2, 3))], {"axes": [1]}, name="zero rows")
    special.add("tensor.norm", lambda x: torch.linalg.vector_norm(x), [[0.0]], {"axes": [0]}, name="one zero")
    first = lambda f: (lambda x: torch.tensor(f(x.numpy(), axis=1)))
    special.add("argmax", first(np.argmax), [ROWS], {"axis": 1}, wrt=[])
    special.add("argmin", first(np.argmin), [ROWS], {"axis": 1}, wrt=[])


def ordered(special):
    for reverse in (False, True):
        way = lambda x: x.flip(1).cumsum(1).flip(1) if reverse else x.cumsum(1)
        special.add("cumsum", way, [ROWS], {"axis": 1, "reverse": reverse})
        special.add("cumsum", way, [TAME], {"axis": 1, "reverse": reverse}, name="finite")
    for descending in (False, True):
        special.add("sort", lambda x: x.sort(dim=1, descending=descending, stable=True).values, [ROWS], {"axis": 1, "descending": descending})
    distinct = [[3.0, NAN, INF, -INF, 0, 1e-30], [1e30, 2, -5, -1e30, 7, 6.5]]
    for largest in (True, False):
        special.add("topk", lambda x: x.topk(3, 1, largest).values, [distinct], {"axis": 1, "k": 3, "largest": largest})


def rows(special):
    scores = [[0, 0, 0, 0], [1e4, 0, -1e4, 1], [1e4, 1e4, 0, 0], [-INF, 0, 1, -INF], [0, -INF, -INF, -INF], [-1e30, 1e30, 0, 1]]
    hopeless = scores + [[-INF] * 4, [INF, 0, 0, 0], [NAN, 0, 0, 0], [88, -88, 104, -104]]
    special.add("softmax", lambda x: x.softmax(1), [hopeless], {"axis": 1})
    special.add("log_softmax", lambda x: x.log_softmax(1), [hopeless], {"axis": 1})
    labels = torch.tensor([3, 0, 0, 2, 0, 1])
    ce = lambda **k: (lambda x, y: F.cross_entropy(x, y, reduction="none", **k))
    special.add("cross_entropy", ce(), [scores, labels])
    special.add("cross_entropy", ce(), [scores, torch.tensor([3, 2, 3, 0, 1, 0])], name="impossible")
    special.add("cross_entropy", ce(ignore_index=0), [scores, labels], {"ignore_index": 0}, name="ignored")
    tame = scores[:3]
    special.add("cross_entropy", ce(label_smoothing=0.1), [tame, labels[:3]], {"smoothing": 0.1}, name="smoothed")
    special.add("loss.crossEntropy", lambda x, y: F.cross_entropy(x, y), [scores, labels])
    special.add("loss.crossEntropy", lambda x, y: F.cross_entropy(x, y, ignore_index=0, reduction="sum"), [scores, torch.zeros(6, dtype=torch.long)], {"ignoreIndex": 0, "reduction": "sum"}, name="all ignored")
    special.add("loss.crossEntropy", lambda x, y: F.cross_entropy(x, y), [tame, [[0, 0, 0, 1], [1, 0, 0, 0], [0.5, 0.5, 0, 0]]], name="probabilities", wrt=[0])
    w, b = [1.0, 2, 0.5, -1, 1], [0.0, 1, -1, 0.5, 2]
    # A row of one large value has a deviation that float32 holds; rows far from zero are those where a mean rounds.
    special.add("layer_norm", lambda x, w, b: F.layer_norm(x, (5,), w, b, 1e-5), [FAR, w, b], {"eps": 1e-5})
    special.add("layer_norm", lambda x, w, b: F.layer_norm(x, (5,), w, b, 1e-5), [[[0, 0, 0, 0, 1e10], [1e-20, 0, 0, 0, 0]], w, b], {"eps": 1e-5}, name="one value")
    wide = np.stack([np.full(333, 1e5 + 0.1), np.full(333, 3.3e7), np.full(333, -0.7), np.zeros(333)])
    ones, none = np.ones(333), np.zeros(333)
    special.add("layer_norm", lambda x, w, b: F.layer_norm(x, (333,), w, b, 1e-5), [wide, ones, none], {"eps": 1e-5}, name="wide")
    special.add("rms_norm", lambda x, w: F.rms_norm(x, (5,), w, 1e-6), [FAR, w], {"eps": 1e-6})
    batch = lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True, eps=1e-5)
    columns = np.asarray(FAR, dtype=np.float32).T
    special.add("batch_norm", batch, [columns, np.ones(7), np.arange(7.0)], {"eps": 1e-5})
    planes = np.stack([np.full((2, 3, 37), v) for v in (1e5 + 0.1, -12345.678, 0.3)], 1).reshape(2, 3, 3, 37)
    special.add("batch_norm", batch, [planes, np.ones(3), np.arange(3.0)], {"eps": 1e-5}, name="planes")


def attention(special):
    q = np.array([[1.0, 0], [0, 1], [1e2, -1e2], [0, 0]]).reshape(1, 1, 4, 2)
    k, v = np.array([[1.0, 2], [0, 0], [-3, 1]]).reshape(1, 1, 3, 2), np.array([[1.0, 2], [3, 4], [5, -6]]).reshape(1, 1, 3, 2)
    plain = lambda q, k, v, mask=None: F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    special.add("attention", plain, [q, k, v])
    keep = torch.tensor([[True, True, True], [False, False, False], [False, True, False], [True, False, True]]).reshape(1, 1, 4, 3)
    masked = lambda q, k, v, m: plain(q, k, v, m)
    special.add("attention", masked, [q, k, v, keep], {"mask": True}, name="a masked row", wrt=[0, 1, 2])
    added = np.array([[0, -INF, -INF], [-1e9, -1e9, 0], [0, 0, -INF], [-INF, 0, 5]]).reshape(1, 1, 4, 3)
    special.add("attention", masked, [q, k, v, added], {"mask": True}, name="added", wrt=[0, 1, 2])


def images(special):
    x = np.array([[1.0, 1, 2, 2], [1, 1, 2, 0], [-INF, -INF, 5, INF], [-INF, -3, NAN, 1]]).reshape(1, 1, 4, 4)
    ties = np.zeros((1, 1, 4, 4))
    pool = lambda **k: (lambda x: F.max_pool2d(x, **k))
    special.add("max_pool2d", pool(kernel_size=2), [x], {"kernel": [2, 2]})
    special.add("max_pool2d", pool(kernel_size=3, stride=1, padding=1), [ties], {"kernel": [3, 3], "stride": [1, 1], "padding": [1, 1, 1, 1]}, name="ties and padding")
    special.add("max_pool2d", pool(kernel_size=2, stride=1, padding=1, dilation=2), [ties - 1], {"kernel": [2, 2], "stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [2, 2]}, name="dilated")
    special.add("max_pool2d", pool(kernel_size=2, padding=1), [np.full((1, 1, 4, 4), -INF)], {"kernel": [2, 2], "padding": [1, 1, 1, 1]}, name="nothing larger")
    mean = lambda c: (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=c))
    whole = np.arange(16.0).reshape(1, 1, 4, 4)
    for counted in (True, False):
        special.add("avg_pool2d", mean(counted), [whole], {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1, 1, 1], "count_padding": counted})
    special.add("avg_pool2d", lambda x: F.avg_pool2d(x, 2), [x], {"kernel": [2, 2]}, name="infinities")
    special.add("conv2d", F.conv2d, [np.array([0, 1e15, -1e15, 1]).reshape(1, 1, 2, 2), np.array([1.0, 1, 0, 0]).reshape(1, 1, 2, 2)])


def movement(special):
    x = [[0.0, -0.0, NAN], [INF, -INF, 1e30]]
    special.add("matmul", torch.matmul, [[[0.0, 1], [1e15, -1e15]], [[1.0, 0], [1, 2]]])
    special.add("matmul", torch.matmul, [[[0.0, NAN], [INF, 0]], [[1.0, 2], [1, 2]]], name="NaN and infinity")
    special.add("reshape", lambda x: x.reshape(3, 2), [x], {"shape": [3, 2]})
    special.add("transpose", lambda x: x.T, [x], {"order": [1, 0]})
    special.add("concat", lambda a, b: torch.cat([a, b]), [x, x], {"axis": 0})
    special.add("slice", lambda x: x[:, 0:3:2], [x], {"start": [0, 0], "stop": [2, 3], "step": [1, 2]})
    special.add("pad", lambda x: F.pad(x, (1, 0, 0, 1), value=-7.0), [x], {"low": [0, 1], "high": [1, 0], "value": -7})
    index = torch.tensor([1, 1, 0, 1])
    special.add("embedding", lambda t, i: t[i], [[[1.0, 2], [NAN, INF]], index], name="repeated")
    special.add("gather", lambda x, i: x.gather(1, i), [x, torch.tensor([[2, 2, 0], [1, 1, 1]])], {"axis": 1})
    special.add("scatter_add", lambda x, i, v: x.scatter_add(1, i, v), [[[0.0, 1, 2]], torch.tensor([[1, 1, 1]]), [[1024.0, 1, -1024]]], {"axis": 1})
    special.add("one_hot", lambda i: F.one_hot(i, 3), [index], {"classes": 3})


def losses(special):
    t, p = (v.reshape(-1) for v in np.meshgrid([0.0, 1, 0.5], [0.0, 1, 0.5, 1e-10, 1e-6]))
    # At p = t = 0 and p = t = 1 PyTorch's gradient is 0 by its guard of 1e-12; ours is that of −log(1 − p): see special-points.md.
    agree = ~((p == t) & ((p == 0) | (p == 1)))
    special.add("loss.bce", lambda p, t: F.binary_cross_entropy(p, t, reduction="none"), [p[agree], t[agree]], {"reduction": "none"}, wrt=[0])
    special.add("loss.bce", lambda p, t: F.binary_cross_entropy(p, t, reduction="none"), [p, t], {"reduction": "none"}, wrt=[], name="values")
    x, t = (v.reshape(-1) for v in np.meshgrid([0.0, 1e-4, 20, -20, 100, -100, 1e3, -1e3, 1e10, -1e10], [0.0, 1, 0.5]))
    logits = lambda **k: (lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none", **k))
    special.add("loss.bceWithLogits", logits(), [x, t], {"reduction": "none"}, wrt=[0])
    special.add("loss.bceWithLogits", logits(pos_weight=torch.tensor(3.0).double()), [x, t], {"reduction": "none", "posWeight": 3}, wrt=[0], name="weighted")
    d = [0.0, -0.0, 1, -1, 0.5, 2, -2, 1e-10, 1e10, INF, -INF, NAN]
    zero = np.zeros(len(d))
    for name, f in {"mse": F.mse_loss, "mae": F.l1_loss, "l1": F.l1_loss, "huber": F.huber_loss, "smoothL1": F.smooth_l1_loss}.items():
        finite = d[:9] if name in ("huber", "smoothL1") else d
        special.add(f"loss.{name}", lambda a, b: f(a, b, reduction="none"), [finite, zero[: len(finite)]], {"reduction": "none"}, wrt=[0])
    # PyTorch has no such loss; relu is its own.
    special.add("loss.hinge", lambda x, t: torch.relu(1 - t * x), [[1.0, -1, 0, 2, 1e10], [1.0, -1, 1, 1, -1]], {"reduction": "none"}, wrt=[0])
    log_q = np.log([[0.5, 0.25, 0.25], [1e-30, 0.5, 0.5], [1, 1e-30, 1e-30]])
    p = [[0.5, 0.25, 0.25], [0, 1, 0], [1, 0, 0]]
    special.add("loss.kl", lambda q, p: F.kl_div(q, p, reduction="batchmean"), [log_q, p], wrt=[0])
    labels = torch.tensor([0, 1, 2])
    special.add("loss.nll", lambda q, y: F.nll_loss(q, y), [log_q, labels])
    special.add("loss.nll", lambda q, y: F.nll_loss(q, y, ignore_index=1), [np.array([[0.0, -1, -2], [0, -INF, 0], [-1, -2, -3]]), labels], {"ignoreIndex": 1}, name="ignored")


def distillation(special):
    kl = lambda s, t, T: F.kl_div((s / T).log_softmax(-1), (t / T).log_softmax(-1), reduction="batchmean", log_target=True)
    s = [[0.0, 0, 0], [1e3, 0, -1e3], [5, 5, 5], [1e4, 1e4, 0]]
    t = [[0.0, 0, 0], [-1e3, 0, 1e3], [1, 2, 3], [1e4, 1e4, 0]]

    def jensen_shannon(s, t):
        q, p = s.log_softmax(-1), t.log_softmax(-1)
        m = torch.logaddexp(q, p) - math.log(2)
        return sum(F.kl_div(m, r, reduction="batchmean", log_target=True) for r in (p, q)) / 2

    special.add("distill.kd", lambda s, t: kl(s, t, 1), [s, t], wrt=[0])
    special.add("distill.kd", lambda s, t: kl(t, s, 1), [s, t], {"divergence": "reverse"}, wrt=[0])
    special.add("distill.kd", jensen_shannon, [s, t], {"divergence": "jensenShannon"}, wrt=[0])
    special.add("distill.softCrossEntropy", lambda s, t: F.cross_entropy(s, t.softmax(-1)), [s, t], wrt=[0])

    def dkd(s, t, y):
        picked = F.one_hot(y, s.shape[-1]).bool()
        other = lambda z: z[~picked].view(len(z), -1)
        two = lambda z: torch.stack([z.log_softmax(-1)[picked], other(z).logsumexp(-1) - z.logsumexp(-1)], -1)
        apart = lambda q, p: F.kl_div(q, p, reduction="batchmean", log_target=True)
        return apart(two(s), two(t)) + 8 * kl(other(s), other(t), 1)

    soft = [[0.0, 0, 0], [20, 0, -20], [5, 5, 5], [100, 100, 0]]
    special.add("distill.dkd", dkd, [soft, [[0.0, 0, 0], [-20, 0, 20], [1, 2, 3], [100, 100, 0]], torch.tensor([0, 0, 1, 2])], wrt=[0])
    f = np.arange(24.0).reshape(2, 3, 2, 2)
    special.add("distill.hint", F.mse_loss, [f, f], wrt=[0])
    map_of = lambda f: F.normalize(f.square().mean(1).flatten(1), eps=1e-12)
    special.add("distill.attentionTransfer", lambda s, t: (map_of(s) - map_of(t)).square().mean(), [f - 11, f], wrt=[0])
    special.add("distill.attentionTransfer", lambda s, t: (map_of(s) - map_of(t)).square().mean(), [f * 0, f], wrt=[0], name="zeros")
    gram = lambda f: F.normalize(f.flatten(1) @ f.flatten(1).T, eps=1e-12)
    special.add("distill.similarity", lambda s, t: (gram(s) - gram(t)).square().mean(), [f * 0, f], wrt=[0])
    flow = lambda a, b: torch.einsum("nchw,ndhw->ncd", a, b) / 4
    special.add("distill.fsp", lambda s, u, t, v: (flow(s, u) - flow(t, v)).square().mean(), [f * 0, f, f, f], wrt=[0, 1])

    def relations(x):
        apart = torch.stack([(x[i] - x[j]).norm() if i != j else x.new_zeros(()) for i in range(len(x)) for j in range(len(x))])
        return apart / (apart.sum() / (len(x) * (len(x) - 1)))

    def rkd(s, t):
        toward = lambda x: F.normalize(x[None] - x[:, None], dim=-1)
        angles = lambda x: torch.einsum("ijd,ikd->ijk", toward(x), toward(x))
        return 25 * F.smooth_l1_loss(relations(s), relations(t)) + 50 * F.smooth_l1_loss(angles(s), angles(t))

    near = np.array([[0.0, 0], [1, 0], [0, 2], [3, 3]])
    special.add("distill.rkd", rkd, [near + 1000, near[:, ::-1].copy()], wrt=[0], name="far from zero")

    def dist(s, t):
        q, p = s.softmax(-1), t.softmax(-1)
        rho = lambda a, b: torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(a, b)]).mean()
        return 1 - rho(q, p) + 1 - rho(q.T, p.T)

    special.add("distill.dist", dist, [[[1.0, 2, 3], [3, 2, 1], [0, 5, 0]]] * 2, wrt=[0], name="equal")
    standard = lambda z: (z - z.mean(-1, keepdim=True)) / (z.std(-1, keepdim=True) + 1e-7)
    special.add("distill.standardize", standard, [[[1e5, 1e5 + 1, 1e5 + 2], [0, 1e-3, 0]]])
    special.add("distill.standardize", standard, [[[1e5 + 0.1] * 3, [0.0] * 3]], wrt=[], name="constant")


def golden():
    special = Special()
    for part in (elementwise, reductions, ordered, rows, attention, images, movement, losses, distillation):
        part(special)
    return special.store
