"""Learning rates for steps 0…N from torch.optim.lr_scheduler in float64, checked here against closed forms where there is one.

PyTorch computes most of them by recurrence, so they differ from a closed form by a few units in the last place (1e-12 relative
is asserted here).
"""

import math

import torch

from store import Store


def from_torch(make, base, count):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def momenta_from_torch(make, base, count):
    """The momentum that OneCycleLR cycles beside the rate."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base, momentum=0.9)
    scheduler = make(optimizer)
    momenta = []
    for step in range(count):
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if step + 1 < count:
            scheduler.step()
    return momenta


def warm_cosine(optimizer, warmup, total, final):
    """Step t < warmup has the share (t + 1) / (warmup + 1) of the peak; then a half cosine that reaches final at total."""
    kinds = torch.optim.lr_scheduler
    rise = kinds.LinearLR(optimizer, 1 / (warmup + 1), 1.0, warmup)
    fall = kinds.CosineAnnealingLR(optimizer, total - warmup, eta_min=final)
    return kinds.SequentialLR(optimizer, [rise, fall], [warmup])


def closed_form(kind, options, t):
    value, final, total = options["initial"], options.get("final", 0.0), options.get("total")
    if kind == "step":
        return value * options["factor"] ** (t // options["every"])
    if kind == "exponential":
        return value * options["factor"] ** t
    if kind == "polynomial":
        return value * (1 - min(t / total, 1)) ** options["power"]
    if kind == "linear":
        return value * (options["startFactor"] + (options["endFactor"] - options["startFactor"]) * min(t / total, 1))
    warmup = options.get("warmup", 0)
    if kind in ("linear-warmup", "warm-cosine") and t < warmup:
        return value * (t + 1) / (warmup + 1)
    if kind in ("cosine", "warm-cosine"):
        return final + (value - final) * (1 + math.cos(math.pi * (t - warmup) / (total - warmup))) / 2
    return value if kind == "linear-warmup" else None


def check(case):
    if "every" in case:
        return
    for t, rate in enumerate(case["rates"]):
        expected = closed_form(case["kind"], case["options"], t)
        assert expected is None or abs(rate - expected) <= 1e-12 * case["options"]["initial"], (case["name"], t, rate, expected)


def golden():
    kinds = torch.optim.lr_scheduler
    store = Store("schedules", __doc__.strip())

    def torch_case(name, kind, options, make, count=61):
        rates = from_torch(make, options["initial"], count)
        store.add({"name": name, "kind": kind, "options": options, "rates": rates})

    torch_case("step", "step", {"initial": 0.1, "every": 7, "factor": 0.5}, lambda o: kinds.StepLR(o, 7, 0.5))
    torch_case("step-each", "step", {"initial": 0.3, "every": 1, "factor": 0.9}, lambda o: kinds.StepLR(o, 1, 0.9))
    torch_case(
        "piecewise", "milestones", {"initial": 0.2, "milestones": [5, 20, 21, 50], "factor": 0.1},
        lambda o: kinds.MultiStepLR(o, [5, 20, 21, 50], 0.1),
    )  # fmt: skip
    torch_case("exponential", "exponential", {"initial": 0.1, "factor": 0.97}, lambda o: kinds.ExponentialLR(o, 0.97))
    torch_case(
        "cosine", "cosine", {"initial": 0.05, "final": 0.0, "total": 60}, lambda o: kinds.CosineAnnealingLR(o, 60)
    )
    torch_case(
        "cosine-floor", "cosine", {"initial": 3e-4, "final": 1e-5, "total": 60},
        lambda o: kinds.CosineAnnealingLR(o, 60, eta_min=1e-5),
    )  # fmt: skip
    torch_case(
        "linear", "linear", {"initial": 0.1, "startFactor": 1.0, "endFactor": 0.1, "total": 40},
        lambda o: kinds.LinearLR(o, 1.0, 0.1, 40),
    )  # fmt: skip
    torch_case(
        "linear-warmup-factor", "linear", {"initial": 0.1, "startFactor": 0.25, "endFactor": 1.0, "total": 12},
        lambda o: kinds.LinearLR(o, 0.25, 1.0, 12),
    )  # fmt: skip
    torch_case(
        "polynomial", "polynomial", {"initial": 0.1, "power": 2.0, "total": 50}, lambda o: kinds.PolynomialLR(o, 50, 2.0)
    )
    torch_case(
        "warm-restarts", "cosine-restarts", {"initial": 0.1, "final": 0.0, "period": 10, "factor": 2},
        lambda o: kinds.CosineAnnealingWarmRestarts(o, 10, 2),
    )  # fmt: skip
    torch_case(
        "sequence", "sequence",
        {"initial": 0.1, "parts": ["linear 0.1→1 over 10 steps", "exponential 0.9"], "milestones": [10]},
        lambda o: kinds.SequentialLR(o, [kinds.LinearLR(o, 0.1, 1.0, 10), kinds.ExponentialLR(o, 0.9)], [10]),
    )  # fmt: skip
    torch_case(
        "warm-restarts-floor", "cosine-restarts", {"initial": 0.3, "final": 0.01, "period": 7, "factor": 3},
        lambda o: kinds.CosineAnnealingWarmRestarts(o, 7, 3, eta_min=0.01), 120,
    )  # fmt: skip
    torch_case(
        "warm-restarts-even", "cosine-restarts", {"initial": 0.3, "final": 0.0, "period": 9, "factor": 1},
        lambda o: kinds.CosineAnnealingWarmRestarts(o, 9),
    )  # fmt: skip
    for mode in ("triangular", "triangular2", "exp_range"):
        options = {"initial": 0.01, "high": 0.2, "rise": 7, "fall": 13, "factor": 0.99}
        torch_case(
            f"cyclic-{mode}", f"cyclic-{mode}", options,
            lambda o, mode=mode: kinds.CyclicLR(o, 0.01, 0.2, 7, 13, mode=mode, gamma=0.99, cycle_momentum=False), 90,
        )  # fmt: skip
    for anneal in ("cos", "linear"):
        for phases in (2, 3):
            for total in (50, 61):
                options = {"initial": 0.1, "rise": 0.3, "divide": 10, "finalDivide": 100, "phases": phases, "total": total}
                make = lambda o, anneal=anneal, phases=phases, total=total: kinds.OneCycleLR(
                    o, 0.1, total_steps=total, pct_start=0.3, anneal_strategy=anneal, div_factor=10,
                    final_div_factor=100, three_phase=phases == 3, base_momentum=0.8, max_momentum=0.95,
                )  # fmt: skip
                name = f"one-cycle-{anneal}-{phases}-{total}"
                rates = from_torch(make, 0.1, total - 1)  # it warns at the last
                store.add({"name": name, "kind": f"one-cycle-{anneal}", "options": options, "rates": rates})
                momenta = momenta_from_torch(make, 0.1, total)
                case = {"kind": f"one-cycle-momentum-{anneal}", "options": options, "rates": momenta}
                store.add({"name": f"{name}-momentum", **case})
    for name, peak, final, warmup, total in (
        ("warm-cosine", 1e-3, 0.0, 5, 60),
        ("warm-cosine-floor", 3e-4, 3e-5, 12, 60),
        ("warm-cosine-one", 0.02, 0.0, 1, 20),
    ):
        options = {"initial": peak, "final": final, "warmup": warmup, "total": total}
        make = lambda o, warmup=warmup, total=total, final=final: warm_cosine(o, warmup, total, final)
        torch_case(name, "warm-cosine", options, make, total + 1)
    torch_case(
        "linear-warmup", "linear-warmup", {"initial": 0.1, "warmup": 8},
        lambda o: kinds.LinearLR(o, 1 / 9, 1.0, 8), 31,
    )  # fmt: skip
    for case in long_cases():
        store.add(case)
    for case in store.record["cases"]:
        check(case)
    return store


LONG, EVERY = 10_000, 41


def long_cases():
    """10,000 steps, every 41st of them. `drift` is how far PyTorch's recurrence has come from the closed form by then, where there is one."""
    kinds = torch.optim.lr_scheduler
    n = LONG
    makers = {
        "step": ({"initial": 0.1, "every": 700, "factor": 0.7}, lambda o: kinds.StepLR(o, 700, 0.7)),
        "exponential": ({"initial": 0.1, "factor": 0.9997}, lambda o: kinds.ExponentialLR(o, 0.9997)),
        "cosine": ({"initial": 0.05, "final": 1e-4, "total": n}, lambda o: kinds.CosineAnnealingLR(o, n, eta_min=1e-4)),
        "linear": (
            {"initial": 0.1, "startFactor": 0.5, "endFactor": 0.01, "total": 9000},
            lambda o: kinds.LinearLR(o, 0.5, 0.01, 9000),
        ),
        "polynomial": ({"initial": 0.1, "power": 1.5, "total": n}, lambda o: kinds.PolynomialLR(o, n, 1.5)),
        "warm-cosine": (
            {"initial": 1e-3, "final": 1e-5, "warmup": 500, "total": n}, lambda o: warm_cosine(o, 500, n, 1e-5),
        ),
        "linear-warmup": ({"initial": 0.1, "warmup": 3000}, lambda o: kinds.LinearLR(o, 1 / 3001, 1.0, 3000)),
        "cosine-restarts": (
            {"initial": 0.1, "final": 1e-3, "period": 130, "factor": 2},
            lambda o: kinds.CosineAnnealingWarmRestarts(o, 130, 2, eta_min=1e-3),
        ),
        **{
            f"cyclic-{mode}": (
                {"initial": 0.01, "high": 0.2, "rise": 170, "fall": 310, "factor": 0.9995},
                lambda o, mode=mode: kinds.CyclicLR(o, 0.01, 0.2, 170, 310, mode=mode, gamma=0.9995, cycle_momentum=False),
            )
            for mode in ("triangular", "triangular2", "exp_range")
        },
        **{
            f"one-cycle-{anneal}": (
                {"initial": 0.1, "rise": 0.3, "divide": 10, "finalDivide": 100, "phases": 3, "total": n + 1},
                lambda o, anneal=anneal: kinds.OneCycleLR(
                    o, 0.1, total_steps=n + 1, pct_start=0.3, anneal_strategy=anneal, div_factor=10, final_div_factor=100,
                    three_phase=True,
                ),
            )
            for anneal in ("cos", "linear")
        },
    }  # fmt: skip
    for kind, (options, make) in makers.items():
        rates = from_torch(make, options["initial"], n)
        exact = [closed_form(kind, options, t) for t in range(n)]
        drift = max(abs(a - b) for a, b in zip(rates, exact)) if exact[0] is not None else 0.0
        yield {
            "name": f"{kind} over 10,000 steps", "kind": kind, "options": options, "every": EVERY,
            "rates": rates[::EVERY], "drift": drift,
        }  # fmt: skip
