"""100 steps of every update rule × options (those that PyTorch lacks: published.py) on five small parameters in two groups, with and without global-norm clipping.

The gradients are a stored sequence that does not depend on the parameters: to replay one in a traced program, take the loss
Σ (p · g) with g a fed input, whose gradient is exactly g. Every case also runs in float64 from the same float32 start, and
`drift` is the largest |float32 − float64| at the last step: the noise floor that a tolerance is derived from.
"""

import math

import torch

import published
from store import Store, drawn

STEPS = 100
CHECKPOINTS = (1, 10, 100)
CLIP = 1.5
SHAPES = {"conv": (3, 2, 2, 2), "weight": (6, 7), "table": (33,), "bias": (6,), "scale": (1,)}
PLAIN = ("bias", "scale")  # second group: no decay, half the rate
DECAY = 0.05

# name: (torch class, options, weight decay of the first group, base rate)
CASES = {
    "sgd": ("SGD", {}, 0.0, 0.05),
    "sgd-decay": ("SGD", {}, DECAY, 0.05),
    "sgd-maximize": ("SGD", {"maximize": True}, DECAY, 0.05),
    "momentum": ("SGD", {"momentum": 0.9}, 0.0, 0.02),
    "momentum-decay": ("SGD", {"momentum": 0.9}, DECAY, 0.02),
    "momentum-dampening": ("SGD", {"momentum": 0.9, "dampening": 0.3}, DECAY, 0.02),
    "momentum-maximize": ("SGD", {"momentum": 0.8, "dampening": 0.1, "maximize": True}, DECAY, 0.02),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}, 0.0, 0.02),
    "nesterov-decay": ("SGD", {"momentum": 0.9, "nesterov": True}, DECAY, 0.02),
    "adam": ("Adam", {}, 0.0, 0.01),
    "adam-decay": ("Adam", {"betas": [0.8, 0.95], "eps": 1e-6}, DECAY, 0.01),
    "adam-amsgrad": ("Adam", {"amsgrad": True}, DECAY, 0.01),
    "adam-maximize": ("Adam", {"maximize": True}, DECAY, 0.01),
    "adamw": ("AdamW", {}, DECAY, 0.01),
    "adamw-betas": ("AdamW", {"betas": [0.85, 0.97], "eps": 1e-4}, 0.2, 0.01),
    "adamw-amsgrad": ("AdamW", {"amsgrad": True}, DECAY, 0.01),
    "adamw-maximize": ("AdamW", {"maximize": True}, DECAY, 0.01),
    "rmsprop": ("RMSprop", {}, 0.0, 0.01),
    "rmsprop-decay": ("RMSprop", {"alpha": 0.9, "eps": 1e-6}, DECAY, 0.01),
    "rmsprop-centered": ("RMSprop", {"centered": True}, DECAY, 0.01),
    "rmsprop-momentum": ("RMSprop", {"momentum": 0.9}, DECAY, 0.003),
    "rmsprop-centered-momentum": ("RMSprop", {"centered": True, "momentum": 0.9}, DECAY, 0.003),
    "rmsprop-maximize": ("RMSprop", {"maximize": True}, DECAY, 0.01),
    "adagrad": ("Adagrad", {}, 0.0, 0.05),
    "adagrad-decay": ("Adagrad", {"eps": 1e-6}, DECAY, 0.05),
    "adagrad-lr-decay": ("Adagrad", {"lr_decay": 0.1}, DECAY, 0.05),
    "adagrad-accumulator": ("Adagrad", {"initial_accumulator_value": 0.4}, DECAY, 0.05),
    "nadam": ("NAdam", {}, 0.0, 0.01),
    "nadam-decay": ("NAdam", {"betas": [0.8, 0.95], "eps": 1e-6, "momentum_decay": 0.05}, DECAY, 0.01),
    "nadam-decoupled": ("NAdam", {"decoupled_weight_decay": True, "momentum_decay": 0.0}, DECAY, 0.01),
    "nadam-maximize": ("NAdam", {"maximize": True}, DECAY, 0.01),
    "radam": ("RAdam", {}, 0.0, 0.01),
    "radam-decay": ("RAdam", {"betas": [0.8, 0.95], "eps": 1e-6}, DECAY, 0.01),
    "radam-decoupled": ("RAdam", {"betas": [0.9, 0.5], "decoupled_weight_decay": True}, DECAY, 0.01),
    "radam-maximize": ("RAdam", {"maximize": True}, DECAY, 0.01),
    "adamax": ("Adamax", {}, 0.0, 0.01),
    "adamax-decay": ("Adamax", {"betas": [0.8, 0.95], "eps": 1e-4}, DECAY, 0.01),
    "adamax-maximize": ("Adamax", {"maximize": True}, DECAY, 0.01),
    "adadelta": ("Adadelta", {}, 0.0, 1.0),
    "adadelta-decay": ("Adadelta", {"rho": 0.7, "eps": 1e-4}, DECAY, 0.5),
    "adadelta-maximize": ("Adadelta", {"maximize": True}, DECAY, 1.0),
    "asgd": ("ASGD", {}, 0.0, 0.05),
    "asgd-decay": ("ASGD", {"lambd": 0.1, "alpha": 0.6, "t0": 10}, DECAY, 0.05),
    "asgd-maximize": ("ASGD", {"lambd": 0.01, "t0": 0, "maximize": True}, DECAY, 0.05),
    "rprop": ("Rprop", {}, None, 0.01),
    "rprop-steps": ("Rprop", {"etas": [0.3, 1.5], "step_sizes": [1e-3, 0.05]}, None, 0.01),
    "rprop-maximize": ("Rprop", {"maximize": True}, None, 0.01),
    "lion": ("Lion", {}, 0.0, 0.003),
    "lion-decay": ("Lion", {"betas": [0.95, 0.98]}, DECAY, 0.003),
    "lion-maximize": ("Lion", {"maximize": True}, DECAY, 0.003),
    "ademamix": ("AdEMAMix", {}, 0.0, 0.01),
    "ademamix-decay": ("AdEMAMix", {"betas": [0.8, 0.95, 0.99], "alpha": 2.0, "eps": 1e-6}, DECAY, 0.01),
    "ademamix-maximize": ("AdEMAMix", {"maximize": True}, DECAY, 0.01),
    "lamb": ("LAMB", {}, 0.0, 0.01),
    "lamb-decay": ("LAMB", {"betas": [0.8, 0.95], "eps": 1e-4}, DECAY, 0.01),
    "lamb-plain": ("LAMB", {"adaptive": False}, DECAY, 0.01),
    "lamb-maximize": ("LAMB", {"maximize": True}, DECAY, 0.01),
    "lars": ("LARS", {"momentum": 0.0}, 0.0, 5.0),
    "lars-momentum": ("LARS", {"momentum": 0.9, "trust": 0.01}, DECAY, 0.5),
    "lars-dampening": ("LARS", {"momentum": 0.8, "dampening": 0.2, "eps": 1e-3}, DECAY, 5.0),
    "lars-nesterov": ("LARS", {"momentum": 0.9, "nesterov": True}, DECAY, 2.0),
    "lars-plain": ("LARS", {"momentum": 0.9, "adaptive": False, "maximize": True}, DECAY, 0.02),
    "adafactor": ("Adafactor", {"eps": [2**-23, 1e-3]}, 0.0, 0.01),
    "adafactor-decay": ("Adafactor", {"beta2_decay": -0.5, "eps": [1e-3, 0.01], "d": 1.5}, DECAY, 0.1),
    "adafactor-maximize": ("Adafactor", {"eps": [2**-23, 1e-3], "maximize": True}, DECAY, 0.05),
    "muon": ("Muon", {}, 0.0, 0.02),
    "muon-decay": ("Muon", {"momentum": 0.9, "ns_steps": 3, "adam_weight_decay": 0.02}, DECAY, 0.02),
    "muon-plain": ("Muon", {"nesterov": False, "ns_coefficients": [3.0, -3.2, 1.2], "adam_lr": 0.01}, DECAY, 0.02),
    "muon-match": ("Muon", {"adjust_lr_fn": "match_rms_adamw", "adam_betas": [0.8, 0.99], "adam_eps": 1e-6}, DECAY, 0.01),
    "schedule-free-sgd": ("SGDScheduleFree", {}, 0.0, 0.5),
    "schedule-free-sgd-warmup": ("SGDScheduleFree", {"momentum": 0.8, "warmup_steps": 20}, DECAY, 0.5),
    "schedule-free-adamw": ("AdamWScheduleFree", {}, 0.0, 0.01),
    "schedule-free-adamw-warmup": (
        "AdamWScheduleFree", {"betas": [0.95, 0.99], "eps": 1e-6, "warmup_steps": 30}, DECAY, 0.02,
    ),
    "prodigy": ("Prodigy", {"d0": 0.01, "d_coef": 0.01}, 0.0, 1.0),
    "prodigy-decay": (
        "Prodigy", {"betas": [0.8, 0.95], "beta3": 0.9, "use_bias_correction": True, "d0": 0.01, "d_coef": 0.05}, DECAY, 1.0,
    ),
    "prodigy-coupled": (
        "Prodigy", {"decouple": False, "safeguard_warmup": True, "d0": 1e-3, "d_coef": 0.05, "growth_rate": 1.01}, DECAY, 1.0,
    ),
    "adagrad-maximize": ("Adagrad", {"lr_decay": 0.02, "maximize": True}, DECAY, 0.05),
}
SCHEDULED = ("prodigy-decay", "lamb-decay", "lars-momentum", "adafactor-decay", "muon-decay", "nadam-decoupled", "radam", "lion-decay", "ademamix-decay", "momentum-decay", "adamw", "rmsprop-centered-momentum", "adagrad-lr-decay")


def second_rate(kind, rate):
    """Prodigy has one rate for all parameters."""
    return rate if kind == "Prodigy" else rate / 2


def cosine(step):
    """Rate multiplier of the scheduled cases: five warm-up steps, then a half cosine to 0 at step 100 (not reached)."""
    return (step + 1) / 5 if step < 5 else 0.5 * (1 + math.cos(math.pi * (step - 5) / (STEPS - 5)))


def replay(case, start, gradients, clip, scheduled, dtype):
    """Yields (parameters, total norm or None) after each step."""
    kind, options, decay, rate = CASES[case]
    second = second_rate(kind, rate)
    parameters = {name: torch.nn.Parameter(value.to(dtype, copy=True)) for name, value in start.items()}
    groups = [
        {"params": [p for name, p in parameters.items() if name not in PLAIN], "weight_decay": decay, "lr": rate},
        {"params": [parameters[name] for name in PLAIN], "weight_decay": 0.0, "lr": second},
    ]
    if decay is None:
        groups = [{key: value for key, value in group.items() if key != "weight_decay"} for group in groups]
    if kind in published.RULES:
        optimizer = published.RULES[kind](groups, **options)
    else:
        optimizer = getattr(torch.optim, kind)(groups, foreach=False, **options)
    for step in range(STEPS):
        for name, p in parameters.items():
            p.grad = gradients[name][step].to(dtype).clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), CLIP, foreach=False).item() if clip else None
        if scheduled:
            optimizer.param_groups[0]["lr"] = rate * cosine(step)
            optimizer.param_groups[1]["lr"] = second * cosine(step)
        optimizer.step()
        yield {name: p.detach().clone() for name, p in parameters.items()}, norm


def golden():
    store = Store("optimizers", __doc__.strip())
    generator = torch.Generator().manual_seed(20261124)
    start = {name: drawn(generator, *shape, scale=0.5) for name, shape in SHAPES.items()}
    # Norms fall from about 5 to 0.5, so the clip is active on roughly half of the steps; one tensor rests for ten steps.
    envelope = torch.logspace(math.log10(0.5), math.log10(0.05), STEPS).float().double()
    gradients = {}
    for name, shape in SHAPES.items():
        noise = drawn(generator, STEPS, *shape) + drawn(generator, *shape)
        gradients[name] = (noise * envelope.reshape(-1, *[1] * len(shape))).float().double()
    gradients["bias"][12:22] = 0
    store.record |= {
        "steps": STEPS, "checkpoints": CHECKPOINTS, "clipNorm": CLIP, "parameters": list(SHAPES),
        "groups": [{"names": [n for n in SHAPES if n not in PLAIN], "lrScale": 1}, {"names": PLAIN, "lrScale": 0.5}],
        "start": {n: store.put(f"start/{n}", v, "float32") for n, v in start.items()},
        "gradients": {n: store.put(f"gradients/{n}", v, "float32") for n, v in gradients.items()},
    }  # fmt: skip
    for case, clip, scheduled in [
        *((case, clip, False) for case in CASES for clip in (False, True)),
        *((case, True, True) for case in SCHEDULED),
    ]:
        kind, options, decay, rate = CASES[case]
        name = case + ("-clip" if clip else "") + ("-scheduled" if scheduled else "")
        single = list(replay(case, start, gradients, clip, scheduled, torch.float32))
        double = list(replay(case, start, gradients, clip, scheduled, torch.float64))
        expected = {}
        for step in CHECKPOINTS:
            # Flat in the order of `parameters`: one float32 and one float64 vector a checkpoint.
            flat = [torch.cat([run[step - 1][0][n].flatten() for n in SHAPES]) for run in (single, double)]
            expected[step] = {
                "f32": store.put(f"{name}/{step}/f32", flat[0]), "f64": store.put(f"{name}/{step}/f64", flat[1]),
            }  # fmt: skip
        store.add({
            "name": name, "optimizer": kind, "options": options, "clip": clip,
            "groups": [
                {"lr": rate, "weightDecay": decay}, {"lr": second_rate(kind, rate), "weightDecay": None if decay is None else 0.0},
            ],
            "lrScale": [cosine(step) for step in range(STEPS)] if scheduled else None,
            "norms": [norm for _, norm in double] if clip else None,
            "expected": expected, "drift": (flat[0].double() - flat[1]).abs().max().item(),
        })  # fmt: skip
    return store
