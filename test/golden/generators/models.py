"""20 training steps of small models: initial weights, batches, the loss of every step, and the final weights.

A step i trains on batch i mod 4. Weights keep PyTorch's layouts: linear [out, in], conv [out, in / groups, kh, kw]. Losses are
given in both precisions (`losses.f32`, `losses.f64`, the loss before the update of that step); `drift` is the largest
|float32 − float64| over the final weights. `outputs` are the logits of batch 0 in evaluation mode after the last step.
The transformer's eps is large on purpose: the gradient of the key bias is 0 in exact arithmetic (softmax is blind to a shift),
and Adam with a tiny eps would blow its rounding noise up to steps of size lr.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from store import Store, drawn

STEPS = 20
BATCHES = 4


def mlp():
    return nn.Sequential(nn.Linear(20, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(),  # (B, 4, 10, 10)
        nn.Conv2d(4, 8, 3), nn.ReLU(), nn.MaxPool2d(2),  # (B, 8, 4, 4)
        nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 5),
    )  # fmt: skip


def cnn_norm():
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),  # (B, 8, 6, 6)
        nn.Conv2d(8, 12, 3, padding=1, groups=4), nn.BatchNorm2d(12, momentum=0.2), nn.ReLU(),  # (B, 12, 6, 6)
        nn.MaxPool2d(3, stride=2, padding=1),  # (B, 12, 3, 3)
        nn.Flatten(), nn.Linear(108, 16), nn.ReLU(), nn.Linear(16, 5),
    )  # fmt: skip


class Attention(nn.Module):
    """Fused projection: rows 0…C−1 of qkv.weight give q, the next C give k, the last C give v; a head takes C/heads in a row."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)  # (B, H, T, C/H)
        scores = q @ k.transpose(-1, -2) / math.sqrt(C // self.heads)  # (B, H, T, T)
        scores = scores.masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), -math.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, C))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(dim), Attention(dim, heads)
        self.norm2, self.up, self.down = nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, vocabulary=17, context=8, dim=16, heads=2, layers=2):
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, dim), nn.Embedding(context, dim)
        self.blocks = nn.ModuleList([Block(dim, heads) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, vocabulary, bias=False)

    def forward(self, tokens):
        x = self.token(tokens) + self.position(torch.arange(tokens.shape[1]))  # (B, T, C)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))  # (B, T, vocabulary)


def one_group(kind, **options):
    return lambda model: getattr(torch.optim, kind)(model.parameters(), foreach=False, **options), [
        {"match": "all", **options}
    ]


def decayed_matrices(kind, weight_decay, **options):
    """Decay on parameters of two dimensions and more; none on biases and norms."""

    def make(model):
        groups = [
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": weight_decay},
            {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0},
        ]
        return getattr(torch.optim, kind)(groups, foreach=False, **options)

    return make, [
        {"match": "dimensions > 1", "weight_decay": weight_decay, **options},
        {"match": "dimensions == 1", "weight_decay": 0.0, **options},
    ]


CASES = {
    "mlp": (mlp, ("Adam", *one_group("Adam", lr=0.01))),
    "cnn": (cnn, ("SGD", *one_group("SGD", lr=0.05, momentum=0.9))),
    "cnn-norm": (cnn_norm, ("SGD", *one_group("SGD", lr=0.05, momentum=0.9, weight_decay=0.01))),
    "transformer": (Transformer, ("AdamW", *decayed_matrices("AdamW", 0.1, lr=3e-3, betas=(0.9, 0.95), eps=1e-5))),
}
ARCHITECTURES = {
    "mlp": "linear 20→24, relu, linear 24→16, relu, linear 16→5",
    "cnn": "conv 3×3 2→4, relu, conv 3×3 4→8, relu, maxpool 2, flatten, linear 128→16, relu, linear 16→5",
    "cnn-norm": "conv 3×3 2→8 stride 2 padding 1 no bias, batchnorm momentum 0.1, relu, conv 3×3 8→12 padding 1 groups 4, "
    "batchnorm momentum 0.2, relu, maxpool 3 stride 2 padding 1, flatten, linear 108→16, relu, linear 16→5",
    "transformer": "token (17, 16) + position (8, 16) embeddings; 2 blocks x + attention(norm1(x)), "
    "x + down(gelu(up(norm2(x)))), erf gelu, 2 heads, causal, qkv fused; norm; head without bias",
}


def batches(name, generator):
    if name == "transformer":
        tokens = torch.randint(0, 17, (BATCHES, 3, 9), generator=generator)
        return tokens[:, :, :-1].contiguous(), tokens[:, :, 1:].contiguous()  # (4, B, T) each
    shape = (BATCHES, 8, 20) if name == "mlp" else (BATCHES, 6, 2, 12, 12)
    return drawn(generator, *shape), torch.randint(0, 5, shape[:2], generator=generator)


def train(model, make, x, y):
    optimizer = make(model)
    losses = []
    for step in range(STEPS):
        logits = model(x[step % BATCHES])
        loss = F.cross_entropy(logits.flatten(0, -2), y[step % BATCHES].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        return losses, model(x[0])


def golden():
    store = Store("models", __doc__.strip())
    for seed, (name, (build, (kind, make, groups))) in enumerate(CASES.items()):
        generator = torch.Generator().manual_seed(100 + seed)
        torch.manual_seed(200 + seed)
        single, double = build(), build().double()
        double.load_state_dict(single.state_dict())
        x, y = batches(name, generator)
        start = {key: value.clone() for key, value in single.state_dict().items() if value.is_floating_point()}
        integer = not x.is_floating_point()
        losses32, outputs32 = train(single, make, x if integer else x.float(), y)
        losses64, outputs64 = train(double, make, x, y)
        final32, final64 = single.state_dict(), double.state_dict()
        store.add({
            "name": name, "architecture": ARCHITECTURES[name], "steps": STEPS, "optimizer": kind, "groups": groups,
            "x": store.put(f"{name}/x", x, "int32" if integer else "float32"), "y": store.put(f"{name}/y", y, "int32"),
            "start": {key: store.put(f"{name}/start/{key}", value) for key, value in start.items()},
            "final": {key: store.put(f"{name}/final/{key}", final32[key]) for key in start},
            "final64": {key: store.put(f"{name}/final64/{key}", final64[key]) for key in start},
            "outputs": {
                "f32": store.put(f"{name}/outputs/f32", outputs32), "f64": store.put(f"{name}/outputs/f64", outputs64),
            },
            "losses": {"f32": losses32, "f64": losses64},
            "drift": max((final32[key].double() - final64[key]).abs().max().item() for key in start),
        })  # fmt: skip
    return store
