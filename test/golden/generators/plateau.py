"""The factor that torch.optim.lr_scheduler.ReduceLROnPlateau of PyTorch 2.13 has brought a learning rate of 1 to after each value of a
series: every option, with ties, NaN and infinities. `values` and `rates` are lines of text.
"""

import math
import random

import torch

from store import Store


def run(values, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode=options["mode"],
        factor=options["factor"],
        patience=options["patience"],
        threshold=options["threshold"],
        threshold_mode={"relative": "rel", "absolute": "abs"}[options["thresholdMode"]],
        cooldown=options["cooldown"],
        min_lr=options["least"],
        eps=0,
    )
    rates = []
    for value in values:
        scheduler.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def golden():
    draw = random.Random(12)
    store = Store("plateau", __doc__.strip())
    for i in range(200):
        values = [draw.randint(1, 24) / 8 for _ in range(draw.randint(1, 30))]
        for at in range(len(values)):
            if draw.random() < 0.05:
                values[at] = draw.choice([math.nan, math.inf, -math.inf])
        options = {
            "mode": draw.choice(["min", "max"]),
            "factor": draw.choice([0.5, 0.25]),
            "patience": draw.randint(0, 3),
            "threshold": draw.choice([0, 1e-4, 0.125, 0.5]),
            "thresholdMode": draw.choice(["relative", "absolute"]),
            "cooldown": draw.choice([0, 0, 1, 3]),
            "least": draw.choice([0, 0, 0.125]),
        }
        rates = run(values, options)
        store.add({"name": f"drawn {i}", "values": " ".join(map(str, values)), "options": options, "rates": " ".join(map(str, rates))})
    return store
