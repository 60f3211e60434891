"""Two studies of Optuna 5.0.0, in its SQLite tables and in its journal, and what Optuna reads of them.

    pip install optuna==5.0.0 && python test/golden/optuna_studies.py
"""

import json
import math
import os
import warnings

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
here = os.path.join(os.path.dirname(__file__), "optuna")
os.makedirs(here, exist_ok=True)


def one(trial):
    x = trial.suggest_float("x", -2, 2)
    trial.suggest_float("rate", 1e-4, 1, log=True)
    trial.suggest_float("share", 0, 1, step=0.25)
    layers = trial.suggest_int("layers", 1, 3)
    for i in range(layers):
        trial.suggest_int(f"units{i}", 8, 64, log=True)
    trial.suggest_int("even", 2, 9, step=2)
    trial.suggest_categorical("kind", ["a", None, True, 3, 2.5])
    trial.set_user_attr("note", {"n": trial.number})
    trial.set_constraint("near", abs(x) - 1.5)
    trial.set_constraint("low", x - 1)
    for step in range(3):
        trial.report([x**2 + step, math.inf, math.nan][0 if trial.number != 4 else step], step * 2)
    if trial.number == 2:
        raise optuna.TrialPruned()
    if trial.number == 3:
        raise ValueError("no")
    return math.inf if trial.number == 5 else x**2


def two(trial):
    x = trial.suggest_float("x", 0, 1)
    y = trial.suggest_float("y", 0, 1)
    return x, y * (1 - x)


def fill(storage):
    study = optuna.create_study(storage=storage, study_name="one", sampler=optuna.samplers.RandomSampler(seed=1))
    study.set_user_attr("who", "me")
    study.optimize(one, n_trials=8, catch=(ValueError,))
    study.enqueue_trial({"x": 0.5, "kind": None})
    study.ask()  # takes the enqueued one, and never ends it
    study.enqueue_trial({"x": -0.5})
    other = optuna.create_study(storage=storage, study_name="two", directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(seed=2))
    other.optimize(two, n_trials=6)


def number(value):
    return value if math.isfinite(value) else str(value)


def facts(storage):
    result = {}
    for name in ["one", "two"]:
        study = optuna.load_study(study_name=name, storage=storage)
        result[name] = {
            "directions": [d.name for d in study.directions],
            "attributes": study.user_attrs,
            "trials": [
                {
                    "number": t.number,
                    "state": t.state.name,
                    "params": t.params,
                    "values": None if t.values is None else [number(v) for v in t.values],
                    "reports": [[s, number(v)] for s, v in sorted(t.intermediate_values.items())],
                    "constraints": sorted(t.constraints.items()),
                    "attributes": t.user_attrs,
                }
                for t in study.trials
            ],
        }
    return result


database, journal = os.path.join(here, "studies.db"), os.path.join(here, "studies.journal")
for path in [database, journal]:
    if os.path.exists(path):
        os.remove(path)
out = {}
for key, storage in [("studies.db", "sqlite:///" + database), ("studies.journal", JournalStorage(JournalFileBackend(journal)))]:
    fill(storage)
    out[key] = facts(storage)
with open(os.path.join(here, "studies.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
