"""What keras.callbacks.EarlyStopping of Keras 3.6 does with series of values: at which epoch it stops (-1 for never) and which epoch's
weights the model has at the end (-1: none was kept). Every option, with ties, NaN at the start and later, and infinities.

`values` is a line of text. Values are multiples of 1/8, so that rounding plays no part. The model is a stand-in whose weights are the number of its epoch.
"""

import math
import os
import random

os.environ.setdefault("KERAS_BACKEND", "torch")

from store import Store

MONITOR = "val_loss"


class Model:
    """What the callback asks of a model."""

    def __init__(self):
        self.stop_training = False
        self.weights = -1
        self.restored = -1

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.restored = weights


def run(values, options):
    from keras.callbacks import EarlyStopping

    named = {
        "mode": options["mode"],
        "patience": options["patience"],
        "min_delta": options["minDelta"],
        "baseline": options["baseline"],
        "start_from_epoch": options["startFrom"],
    }
    callback = EarlyStopping(MONITOR, restore_best_weights=True, **named)
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    stopped = -1
    for epoch, value in enumerate(values):
        model.weights = epoch
        callback.on_epoch_end(epoch, {MONITOR: value})
        if model.stop_training:
            stopped = epoch
            break
    callback.on_train_end()
    return stopped, model.restored


def golden():
    draw = random.Random(11)
    store = Store("early-stopping", __doc__.strip())
    named = [
        ("the checks before startFrom are never best", [0.125, 0.25, 5, 4, 3, 2, 1], {"startFrom": 2, "patience": 2}),
        ("NaN at first", [math.nan, math.nan, 3, 2], {"patience": 1}),
        ("nothing but NaN", [math.nan] * 5, {"patience": 3}),
        ("infinity at first", [math.inf, math.inf, 1], {"patience": 3}),
        ("improving below the baseline", [5, 4, 3, 2.5, 2.5, 2.5], {"patience": 2, "baseline": 2}),
    ]
    for name, values, options in named:
        add(store, name, values, options)
    for i in range(250):
        length = draw.randint(1, 14)
        values = [draw.randint(0, 24) / 8 for _ in range(length)]
        for at in range(length):
            if draw.random() < 0.08:
                values[at] = draw.choice([math.nan, math.inf, -math.inf])
        options = {
            "mode": draw.choice(["min", "max"]),
            "patience": draw.randint(1, 4),
            "minDelta": draw.choice([0, 0, 0.125, 0.5]),
            "baseline": draw.choice([None, None, 1, 2]),
            "startFrom": draw.choice([0, 0, 0, 1, 2, 3]),
        }
        add(store, f"drawn {i}", values, options)
    return store


def add(store, name, values, given):
    every = {"mode": "min", "patience": 1, "minDelta": 0, "baseline": None, "startFrom": 0, **given}
    stopped, restored = run(values, every)
    options = {key: value for key, value in every.items() if value is not None}
    store.add({"name": name, "values": " ".join(map(str, values)), "options": options, "stopped": stopped, "restored": restored})
