"""Masks of torch.nn.utils.prune (L1, local and global) and of torch.ao.pruning's WeightNormSparsifier (2:4, blocks); 24 steps
of every update rule with momentum and decay on parameters under a mask, with and without clipping; and the scores of criteria
that read data (Taylor, SNIP, Wanda) on a small CNN, in float64, written down from the papers with autograd.

Masked training is torch.nn.utils.prune's: the weight is the product of a parameter and its mask, so that gradients, and their
norm, are those of what is left. The gradients are a stored sequence, as in the optimizers' set. `drift` is the largest
|float32 − float64| of the masked parameters at the last step.
"""

import torch
from torch import nn
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import prune

from store import Store, drawn

STEPS = 24
CLIP = 1.5
SHAPES = {"conv": (4, 2, 2, 2), "wide": (6, 16), "tall": (12, 8)}
DECAY = 0.05

# name: (torch class, options, rate)
RULES = {
    "sgd": ("SGD", {}, 0.05),
    "momentum": ("SGD", {"momentum": 0.9}, 0.02),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}, 0.02),
    "adam": ("Adam", {}, 0.01),
    "adam-amsgrad": ("Adam", {"amsgrad": True}, 0.01),
    "adamw": ("AdamW", {}, 0.01),
    "rmsprop": ("RMSprop", {"momentum": 0.9}, 0.003),
    "rmsprop-centered": ("RMSprop", {"centered": True, "momentum": 0.9}, 0.003),
    "adagrad": ("Adagrad", {"lr_decay": 0.02}, 0.05),
}


class Bag(nn.Module):
    """One submodule with a `weight` for every entry of SHAPES."""

    def __init__(self, start, dtype=torch.float32):
        super().__init__()
        for name, value in start.items():
            part = nn.Module()
            part.weight = nn.Parameter(value.to(dtype, copy=True))
            self.add_module(name, part)

    def parts(self):
        return [(part, "weight") for part in self.children()]

    def masks(self):
        return {name: part.weight_mask for name, part in self.named_children()}


def library_masks(store, start):
    for amount in (0.25, 0.5, 0.9):
        for scope in ("layer", "global"):
            bag = Bag(start)
            if scope == "global":
                prune.global_unstructured(bag.parts(), prune.L1Unstructured, amount=amount)
            else:
                for part, name in bag.parts():
                    prune.l1_unstructured(part, name, amount)
            put_masks(store, f"l1-{scope}-{amount}", bag.masks(), kind="l1", scope=scope, amount=amount)
    blocks = [("2:4", (1, 4), 2, 1.0), ("1:4", (1, 4), 3, 1.0), ((1, 4), (1, 4), 4, 0.5), ((2, 4), (2, 4), 8, 0.5)]
    for structure, shape, zeros, level in blocks:
        matrices = {name: value.reshape(value.shape[0], -1) for name, value in start.items()}
        bag = Bag(matrices)
        sparsifier = WeightNormSparsifier(sparsity_level=level, sparse_block_shape=shape, zeros_per_block=zeros)
        sparsifier.prepare(bag, [{"tensor_fqn": f"{name}.weight"} for name in matrices])
        sparsifier.step()
        masks = {name: part.parametrizations.weight[0].mask for name, part in bag.named_children()}
        name = structure if isinstance(structure, str) else f"{structure[0]}x{structure[1]}"
        option = structure if isinstance(structure, str) else {"block": structure}
        put_masks(store, f"structure-{name}", masks, kind="structure", structure=option, amount=level)


def put_masks(store, name, masks, **about):
    keys = {n: store.put(f"{name}/{n}", m.reshape(SHAPES[n]), "uint8") for n, m in masks.items()}
    store.record["masks"].append({"name": name, "masks": keys, **about})


def replay(rule, start, masks, gradients, clip, dtype):
    kind, options, rate = RULES[rule]
    bag = Bag(start, dtype)
    for part, (name, mask) in zip(bag.children(), masks.items(), strict=True):
        prune.custom_from_mask(part, "weight", mask)
    parameters = [part.weight_orig for part in bag.children()]
    optimizer = getattr(torch.optim, kind)(parameters, lr=rate, weight_decay=DECAY, foreach=False, **options)
    for step in range(STEPS):
        loss = 0
        for name, part in bag.named_children():
            for hook in part._forward_pre_hooks.values():
                hook(part, None)
            loss = loss + (part.weight * gradients[name][step].to(dtype)).sum()
        optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(parameters, CLIP, foreach=False)
        optimizer.step()
    return torch.cat([(p.detach() * m.to(dtype)).flatten() for p, m in zip(parameters, masks.values(), strict=True)])


def masked_training(store, generator, start):
    masks = {n: (torch.rand(s, generator=generator) < 0.4).float() for n, s in SHAPES.items()}
    gradients = {
        n: (drawn(generator, STEPS, *s, scale=0.3) + drawn(generator, *s, scale=0.3)).float().double()
        for n, s in SHAPES.items()
    }
    store.record["training"] = {
        "steps": STEPS, "clipNorm": CLIP, "weightDecay": DECAY,
        "masks": {n: store.put(f"training/mask/{n}", v, "uint8") for n, v in masks.items()},
        "gradients": {n: store.put(f"training/gradients/{n}", v, "float32") for n, v in gradients.items()},
    }  # fmt: skip
    for rule, (kind, options, rate) in RULES.items():
        for clip in (False, True):
            single, double = (
                replay(rule, start, masks, gradients, clip, dtype) for dtype in (torch.float32, torch.float64)
            )
            name = rule + ("-clip" if clip else "")
            store.add({
                "name": name, "optimizer": kind, "options": options, "lr": rate, "clip": clip,
                "expected": store.put(f"training/{name}", double),
                "drift": (single.double() - double).abs().max().item(),
            })  # fmt: skip


def criteria(store, generator):
    """Conv (stride 2, padding 1) → relu → flatten → linear on 11 images, in batches of 4 and one of 3."""
    conv = nn.Conv2d(2, 3, 3, stride=2, padding=1, dtype=torch.float64)
    linear = nn.Linear(3 * 3 * 3, 4, dtype=torch.float64)
    parameters = [conv.weight, conv.bias, linear.weight, linear.bias]
    with torch.no_grad():
        for p in parameters:
            p.copy_(drawn(generator, *p.shape, scale=0.4))
    x = drawn(generator, 11, 2, 5, 6)
    y = torch.randint(0, 4, (11,), generator=generator)
    flatten = nn.Flatten()

    def loss(rows):
        return nn.functional.cross_entropy(linear(flatten(conv(x[rows]).relu())), y[rows])

    weights = [conv.weight, linear.weight]
    mean = torch.autograd.grad(loss(slice(None)), weights)
    square = [torch.zeros_like(w) for w in weights]
    for rows in (slice(0, 4), slice(4, 8), slice(8, 11)):
        for total, g in zip(square, torch.autograd.grad(loss(rows), weights), strict=True):
            total += g.square() * (rows.stop - rows.start) / 11
    # Wanda: the norm of what each weight is multiplied with, over samples and positions.
    patches = nn.functional.unfold(x, 3, stride=2, padding=1)  # (11, 2 · 3 · 3, positions)
    hidden = flatten(conv(x).relu())
    norms = [
        patches.square().sum((0, 2)).sqrt().reshape(1, 2, 3, 3).expand_as(conv.weight),
        hidden.square().sum(0).sqrt().expand_as(linear.weight),
    ]
    scores = {
        "snip": [(w * g).abs() for w, g in zip(weights, mean, strict=True)],
        "taylor": [(w.square() * s).sqrt() for w, s in zip(weights, square, strict=True)],
        "wanda": [w.abs() * n for w, n in zip(weights, norms, strict=True)],
    }
    store.record["criteria"] = {
        "batchSize": 4,
        "x": store.put("criteria/x", x, "float32"),
        "y": store.put("criteria/y", y, "int32"),
        "parameters": [store.put(f"criteria/parameter/{i}", p, "float32") for i, p in enumerate(parameters)],
        "scores": {
            name: [store.put(f"criteria/{name}/{i}", s) for i, s in enumerate(pair)] for name, pair in scores.items()
        },
    }


def golden():
    store = Store("pruning", __doc__.strip())
    generator = torch.Generator().manual_seed(20261125)
    start = {name: drawn(generator, *shape, scale=0.5) for name, shape in SHAPES.items()}
    store.record |= {
        "parameters": list(SHAPES), "masks": [],
        "start": {n: store.put(f"start/{n}", v, "float32") for n, v in start.items()},
    }  # fmt: skip
    library_masks(store, start)
    masked_training(store, generator, start)
    criteria(store, generator)
    return store
