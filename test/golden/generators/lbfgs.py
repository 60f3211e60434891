"""torch.optim.LBFGS with strong-Wolfe line searches on two functions of 24 samples of 6 numbers: a logistic regression over 3 classes with a
penalty of 0.01 on the squares, and a tanh layer of 5 with a linear one, mean squared error. Losses after each iteration and parameters after
iterations 1, 5 and the last, in float32 and float64 from the same float32 start; `drift` is how far the float32 run is off, a loss or
parameter at most.
"""

import torch

from store import Store, drawn

ITERATIONS = 20
CHECKPOINTS = (1, 5, 20)
SHAPES = {
    "logistic": {"weight": (6, 3), "bias": (3,)},
    "tanh": {"first.weight": (6, 5), "first.bias": (5,), "second.weight": (5, 1), "second.bias": (1,)},
}


def logistic(p, x, labels, _):
    scores = x @ p["weight"] + p["bias"]
    return torch.nn.functional.cross_entropy(scores, labels) + 0.01 * (p["weight"] ** 2).sum()


def tanh(p, x, _, target):
    hidden = torch.tanh(x @ p["first.weight"] + p["first.bias"])
    return ((hidden @ p["second.weight"] + p["second.bias"] - target) ** 2).mean()


FUNCTIONS = {"logistic": logistic, "tanh": tanh}


def run(name, start, x, labels, target, history, iterations, dtype):
    p = {key: value.to(dtype).clone().requires_grad_() for key, value in start.items()}
    optimizer = torch.optim.LBFGS(
        p.values(), max_iter=iterations, max_eval=1000, history_size=history, tolerance_grad=0, tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        loss = FUNCTIONS[name](p, x.to(dtype), labels, target.to(dtype))
        loss.backward()
        return loss

    optimizer.step(closure)
    loss = float(closure().detach())
    return torch.cat([value.detach().reshape(-1) for _, value in sorted(p.items())]).double(), loss


def golden():
    store = Store("lbfgs", __doc__)
    generator = torch.Generator().manual_seed(21)
    x, target = drawn(generator, 24, 6).float().double(), drawn(generator, 24, 1).float().double()
    labels = torch.randint(0, 3, (24,), generator=generator)
    store.record |= {"checkpoints": CHECKPOINTS, "iterations": ITERATIONS}
    store.record["data"] = {
        "x": store.put("x", x, "float32"),
        "target": store.put("target", target, "float32"),
        "labels": store.put("labels", labels, "int32"),
    }
    for name, shapes in SHAPES.items():
        start = {key: drawn(generator, *shape, scale=0.5).float().double() for key, shape in shapes.items()}
        keys = {key: store.put(f"{name}.{key}", value, "float32") for key, value in start.items()}
        for history in (100, 3):
            expected = {}
            for iterations in CHECKPOINTS:
                exact, loss = run(name, start, x, labels, target, history, iterations, torch.float64)
                rough, rough_loss = run(name, start, x, labels, target, history, iterations, torch.float32)
                drift = max(float((exact - rough).abs().max()), abs(loss - rough_loss))
                key = store.put(f"{name}.{history}.{iterations}", exact)
                expected[str(iterations)] = {"parameters": key, "loss": loss, "drift": drift}
            store.add({"name": name, "history": history, "start": keys, "expected": expected})
    return store
