"""The problems of conditional.ts with Optuna: one JSON line a run, whether its best trial of 200 is in the right branch.

python optuna_conditional.py --sampler tpe --seeds 0-19
"""

import argparse
import json
import math
import warnings

import optuna
from optuna_quality import SAMPLERS


def bump(depth, squares, width):
    return -depth * math.exp(-squares / (2 * width * width))


def hole(t):
    kind = t.suggest_categorical("kind", ["a", "b", "c", "d"])
    x, y = t.suggest_float(kind + ".x", 0, 1), t.suggest_float(kind + ".y", 0, 1)
    if kind == "c":
        return 2 + bump(3, (x - 0.7) ** 2 + (y - 0.25) ** 2, 0.15)
    return {"a": 0.5, "b": 0.7, "d": 0.9}[kind] + (x - 0.4) ** 2 + (y - 0.6) ** 2


def optimizer(t):
    rate = math.log10(t.suggest_float("lr", 1e-5, 1, log=True))
    drop = 0.2 * (t.suggest_float("dropout", 0, 0.5) - 0.2) ** 2
    kind = t.suggest_categorical("optimizer", ["adam", "rmsprop", "sgd"])
    if kind == "adam":
        return 0.1 + drop + 0.02 * (rate + 3) ** 2 + (t.suggest_float("beta1", 0.8, 0.99) - 0.9) ** 2
    if kind == "rmsprop":
        return 0.12 + drop + 0.02 * (rate + 3) ** 2
    squares = ((rate + 1) / 3) ** 2 + (t.suggest_float("momentum", 0, 0.99) - 0.9) ** 2
    return 0.5 + drop + (0 if t.suggest_categorical("nesterov", [False, True]) else 0.02) + bump(0.45, squares, 0.12)


def depth(t):
    rate = 0.05 * (math.log10(t.suggest_float("lr", 1e-4, 1, log=True)) + 2) ** 2
    n = t.suggest_int("depth", 1, 3)
    w = [(t.suggest_int(f"{n}.{i}", 8, 128) - 8) / 120 for i in range(n)]
    if n < 3:
        return (0.3 if n == 1 else 0.35) + rate + sum(0.1 * (a - 0.5) ** 2 for a in w)
    return 0.9 + rate + bump(0.8, (w[0] - 0.8) ** 2 + (w[1] - 0.5) ** 2 + (w[2] - 0.2) ** 2, 0.25)


def mixed(t):
    kind = "abcde".index(t.suggest_categorical("kind", list("abcde")))
    x, n = t.suggest_float("x", 0, 1), t.suggest_int("n", 0, 10)
    if kind == 4:
        return 1.5 + bump(2, (x - 0.15) ** 2 + ((n - 8) / 10) ** 2, 0.12)
    return 0.2 * (1 + kind) + (x - 0.6) ** 2 + ((n - 3) / 10) ** 2


PROBLEMS = {
    "hole": (hole, lambda p: p["kind"] == "c"),
    "optimizer": (optimizer, lambda p: p["optimizer"] == "sgd"),
    "depth": (depth, lambda p: p["depth"] == 3),
    "mixed": (mixed, lambda p: p["kind"] == "e"),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sampler", required=True)
    parser.add_argument("--seeds", default="0-19")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    first, last = (int(part) for part in options.seeds.split("-"))
    for name, (f, is_right) in PROBLEMS.items():
        for seed in range(first, last + 1):
            study = optuna.create_study(sampler=SAMPLERS[options.sampler](seed))
            study.optimize(f, n_trials=200, catch=(Exception,))
            print(
                json.dumps(
                    {
                        "system": f"optuna-{optuna.__version__}",
                        "sampler": options.sampler,
                        "problem": name,
                        "seed": seed,
                        "right": is_right(study.best_params),
                        "best": study.best_value,
                    }
                ),
                flush=True,
            )
