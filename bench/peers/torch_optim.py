"""AdamW steps on PyTorch: 24.4 M parameters in 100 tensors, or 2,000 tensors of 1,000, with or without global-norm clipping.

    python torch_optim.py --case adamw-24m --threads 2

Loop, foreach and fused; the fastest counts (it is the fused one).
"""

import torch

import side

SHAPES = {
    "24m": [(512, 512)] * 40 + [(512, 1024)] * 26 + [(768,)] * 32 + [(256, 512), (512, 256)],
    "2000x1k": [(1000,)] * 2000,
}


def variants(case):
    parameters = [torch.nn.Parameter(torch.randn(shape) * 0.02) for shape in SHAPES[case.split("-")[1]]]
    for p in parameters:
        p.grad = torch.randn(p.shape) * 1e-2
    for name, form in {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}.items():
        optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2, **form)
        if case.endswith("clip"):
            # A norm that is never reached: the pass over the gradients is the same and they do not shrink from step to step.
            yield name, lambda o=optimizer: (torch.nn.utils.clip_grad_norm_(parameters, 1e9), o.step())
        else:
            yield name, optimizer.step


def main():
    options = side.arguments("optim")
    side.serve("optim", options, dict(variants(options.case)))


if __name__ == "__main__":
    main()
