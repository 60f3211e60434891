"""The measuring side of the protocol in README.md, for Python: ready line, then one row for every line on stdin."""

import argparse
import json
import pathlib
import sys
import time

import torch

CASES = json.loads((pathlib.Path(__file__).parent / "cases.json").read_text())


def arguments(suite, **extra):
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", required=True, choices=CASES[suite])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fused", action="store_true", help="PyTorch's strongest eager form instead of the plain one")
    for name, options in extra.items():
        parser.add_argument(f"--{name}", **options)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    return options


def seconds_of(step, window, least=3):
    """Ascending seconds of every call in a window of time, after one call to get warm again."""
    step()
    times, begin = [], time.perf_counter()
    end = begin + window
    while begin < end or len(times) < least:
        step()
        now = time.perf_counter()
        times.append(now - begin)
        begin = now
    return sorted(times)


def quantile(ordered, q):
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def fastest(variants, window=0.4):
    """(name, step) of the fastest of {name: step}: each is warmed, then they take two turns."""
    best = {name: float("inf") for name in variants}
    for step in variants.values():
        step(), step()
    for _ in range(2 if len(variants) > 1 else 0):
        for name, step in variants.items():
            best[name] = min(best[name], quantile(seconds_of(step, window), 0.5))
    name = min(best, key=best.get)
    return name, variants[name]


def serve(suite, options, variants, form=None):
    """Announces the fastest variant, then measures it for as many seconds as each line on stdin says; `form` tells apart what
    one suite asks of PyTorch."""
    case = CASES[suite][options.case]
    variant, step = fastest(variants)
    form = form or ("fused" if options.fused else None)
    system = "torch-" + ".".join(torch.__version__.split(".")[:2]) + (f"-{form}" if form else "")
    head = {
        "suite": suite, "case": options.case, "system": system, "variant": variant, "threads": options.threads,
        "isa": torch.backends.cpu.get_cpu_capability().lower(), "unit": case["unit"], "work": case["work"],
        **({"perStep": case["perStep"]} if "perStep" in case else {}),
    }  # fmt: skip
    units = {
        "ms": lambda seconds: seconds * 1e3,
        "µs": lambda seconds: seconds * 1e6,
        "GFLOP/s": lambda seconds: case["work"]["flops"] / seconds / 1e9,
    }
    value = units.get(case["unit"], lambda seconds: case["perStep"] / seconds)
    print(json.dumps({"ready": True, **head}), flush=True)
    for line in sys.stdin:
        times = seconds_of(step, float(line.strip() or 1))
        median, p10, p90 = value(quantile(times, 0.5)), *sorted(value(quantile(times, q)) for q in (0.1, 0.9))
        print(json.dumps({**head, "median": median, "p10": p10, "p90": p90, "samples": len(times)}), flush=True)
