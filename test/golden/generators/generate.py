"""Writes the golden sets of this folder, or with --check compares fresh ones with the committed files.

    python -m venv .venv && .venv/bin/pip install schedulefree==1.4.1 prodigyopt==1.1.2 torch==2.13.0 keras==3.6.0 scikit-learn==1.9.1 numpy
    .venv/bin/python test/golden/generators/generate.py [--check] [optimizers models schedules operations distillation pruning
        early-stopping kmeans lbfgs metrics plateau special]

float32 values depend in the last bits on the instruction set that PyTorch uses, so --check allows 1e-4 relative to
max(1, |value|) and prints the largest difference.
"""

import argparse
import sys

import torch

import distillation
import early_stopping
import kmeans
import lbfgs
import metrics
import models
import operations
import optimizers
import plateau
import pruning
import schedules
import special

SETS = {
    "optimizers": optimizers,
    "models": models,
    "schedules": schedules,
    "operations": operations,
    "distillation": distillation,
    "pruning": pruning,
    "early-stopping": early_stopping,
    "kmeans": kmeans,
    "lbfgs": lbfgs,
    "metrics": metrics,
    "plateau": plateau,
    "special": special,
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("sets", nargs="*", default=list(SETS))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in options.sets:
        store = SETS[name].golden()
        if options.check:
            gap, where = store.difference()
            print(f"{name}: largest difference {gap:.1e} {where}")
            if gap > 1e-4:
                sys.exit(1)
        else:
            print(f"{name}: {len(store.record['cases'])} cases, {store.write() / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
