"""How far trials come under the pruners of Optuna 5.0.0, on curves given here, one trial after the other; and p-values of scipy 1.17.

    pip install optuna==5.0.0 scipy==1.17.1 && python test/golden/generators/tune_pruners.py
"""

import json
import math
import os

import numpy as np
import optuna
import scipy.stats as stats
from optuna import pruners as p

optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = np.random.default_rng(7)
TRIALS, STEPS = 40, 27
curves = []
for i in range(TRIALS):
    end, rate = rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.4)
    curve = end + (1 - end) * np.exp(-rate * np.arange(1, STEPS + 1)) + rng.normal(0, 0.02, STEPS)
    if i % 13 == 7:
        curve[9] = math.nan
    curves.append([round(float(v), 6) for v in curve])

cases = {
    # name: (pruner, number of the first step there: Optuna's successive halving counts resources)
    "median step": (p.MedianPruner(n_startup_trials=5, n_warmup_steps=3, interval_steps=1), 0),
    "percentile 25 step": (p.PercentilePruner(25.0, n_startup_trials=4, n_warmup_steps=2, interval_steps=4), 0),
    "asha 1 4": (p.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4), 1),
    "asha 2 3 1": (p.SuccessiveHalvingPruner(min_resource=2, reduction_factor=3, min_early_stopping_rate=1), 1),
    "patient 2": (p.PatientPruner(None, patience=2, min_delta=0.005), 0),
    "patient 1 median": (p.PatientPruner(p.MedianPruner(n_startup_trials=5), patience=1), 0),
    "threshold": (p.ThresholdPruner(upper=0.8, n_warmup_steps=4, interval_steps=3), 0),
    "wilcoxon": (p.WilcoxonPruner(p_threshold=0.1, n_startup_steps=3), 0),
}


def lengths(pruner, first, direction):
    sign = 1 if direction == "minimize" else -1
    study = optuna.create_study(direction=direction, pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0))
    result = []
    for curve in curves:
        trial = study.ask()
        for step, value in enumerate(curve):
            trial.report(sign * value, step + first)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, sign * curve[-1])
        result.append(step + 1)
    return result


tests = []
for n in [3, 8, 20, 60]:
    for shift in [-0.5, 0.0, 0.5]:
        d = rng.normal(shift, 1, n)
        tests.append([round(float(x), 4) for x in d])
        tests.append([round(float(x), 0) + 0.0 for x in d])
out = {
    "curves": [[None if math.isnan(v) else v for v in c] for c in curves],
    "lengths": {
        name: {d: lengths(pruner, first, d) for d in ["minimize", "maximize"] if not (name == "threshold" and d == "maximize")}
        for name, (pruner, first) in cases.items()
    },
    "wilcoxon": [
        {"differences": d, "p": float(stats.wilcoxon(d, alternative="greater", zero_method="zsplit").pvalue)} for d in tests
    ],
    "student": [
        {"t": t, "freedom": f, "p": float(stats.t.cdf(t, f))}
        for f in [1, 2, 5, 30, 200]
        for t in [-8.0, -2.5, -0.3, 0.0, 0.1, 1.7, 6.0]
    ],
}
path = os.path.join(os.path.dirname(__file__), "..", "data", "tune-pruners.json")
with open(path, "w") as f:
    json.dump(out, f, indent=None, separators=(",", ":"))
    f.write("\n")
