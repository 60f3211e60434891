"""Optuna's samplers on the test functions: one JSON line a run, with the best value after some numbers of trials.

python optuna_quality.py --sampler tpe --function hartmann6 --trials 200 --at 50,100,200 --seeds 0-19
On a noisy function the best trial is the one with the least observed value; what is reported is its value without noise.
"""

import argparse
import json
import random
import time
import warnings

import optuna
from functions import FUNCTIONS

SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "sobol": lambda seed: optuna.samplers.QMCSampler(seed=seed, scramble=True),
}


def run(sampler, function, trials, at, seed):
    bounds, f, noise = FUNCTIONS[function]
    rng = random.Random(1000 + seed)
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    least, clean, best = float("inf"), float("inf"), {}
    cpu = 0.0
    for number in range(1, trials + 1):
        start = time.process_time()
        trial = study.ask()
        x = [trial.suggest_float(f"x{i}", low, high) for i, (low, high) in enumerate(bounds)]
        cpu += time.process_time() - start
        value = f(x)
        seen = value + (rng.gauss(0, noise) if noise else 0)
        start = time.process_time()
        study.tell(trial, seen)
        cpu += time.process_time() - start
        if seen < least:
            least, clean = seen, value
        if number in at:
            best[number] = clean
    return {"system": f"optuna-{optuna.__version__}", "sampler": sampler, "function": function, "seed": seed, "best": best, "cpuMs": cpu * 1e3 / trials}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sampler", required=True)
    parser.add_argument("--function", required=True)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--at", default="50,100,200")
    parser.add_argument("--seeds", default="0-19")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    first, last = (int(part) for part in options.seeds.split("-"))
    for seed in range(first, last + 1):
        for function in options.function.split(","):
            print(json.dumps(run(options.sampler, function, options.trials, [int(n) for n in options.at.split(",")], seed)), flush=True)
