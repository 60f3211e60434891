"""CPU milliseconds of Optuna's samplers for one trial after many others, in memory; cost.ts is Athanor's side.

python optuna_cost.py --sampler tpe --history 100,1000,10000 --repeats 9
"""

import argparse
import json
import random
import statistics
import time
import warnings

import optuna
from functions import FUNCTIONS
from optuna_quality import SAMPLERS

NAMES = [f"x{i}" for i in range(6)]
DISTRIBUTIONS = {name: optuna.distributions.FloatDistribution(0, 1) for name in NAMES}
f = FUNCTIONS["hartmann6"][1]


def study_of(sampler, count):
    rng = random.Random(1)
    study = optuna.create_study(sampler=sampler)
    for _ in range(count):
        x = [rng.random() for _ in NAMES]
        study.add_trial(optuna.trial.create_trial(params=dict(zip(NAMES, x)), distributions=DISTRIBUTIONS, value=f(x)))
    return study


def cpu_ms(work):
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sampler", required=True)
    parser.add_argument("--history", default="100,1000,10000")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--fanova", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    system = f"optuna-{optuna.__version__}"
    for count in [int(n) for n in options.history.split(",")]:
        study = study_of(SAMPLERS[options.sampler](1), count)

        def one():
            trial = study.ask()
            study.tell(trial, f([trial.suggest_float(name, 0, 1) for name in NAMES]))

        first = cpu_ms(one)
        times = [cpu_ms(one) for _ in range(options.repeats)]
        print(json.dumps({"system": system, "sampler": options.sampler, "history": count, "cpuMs": statistics.median(times), "firstMs": first}), flush=True)
    if options.fanova:
        study = study_of(SAMPLERS["random"](1), 1000)
        importance = optuna.importance.FanovaImportanceEvaluator(seed=1)
        print(json.dumps({"system": system, "sampler": "fanova", "history": 1000, "cpuMs": cpu_ms(lambda: importance.evaluate(study))}), flush=True)
