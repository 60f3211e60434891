"""Update rules that torch.optim does not have, written down line by line from the algorithms of their papers."""

import torch


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2."""

    def __init__(self, groups, betas=(0.9, 0.99), maximize=False):
        super().__init__(groups, {"betas": betas, "maximize": maximize})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for theta in group["params"]:
                g = -theta.grad if group["maximize"] else theta.grad
                m = self.state[theta].setdefault("m", torch.zeros_like(theta))
                c = beta1 * m + (1 - beta1) * g
                theta -= group["lr"] * (torch.sign(c) + group["weight_decay"] * theta)
                m.copy_(beta2 * m + (1 - beta2) * g)


class AdEMAMix(torch.optim.Optimizer):
    """Pagliardini et al. 2024, "The AdEMAMix Optimizer: Better, Faster, Older", algorithm 1, with alpha and beta3 constant."""

    def __init__(self, groups, betas=(0.9, 0.999, 0.9999), alpha=5.0, eps=1e-8, maximize=False):
        super().__init__(groups, {"betas": betas, "alpha": alpha, "eps": eps, "maximize": maximize})
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for group in self.param_groups:
            beta1, beta2, beta3 = group["betas"]
            for theta in group["params"]:
                g = -theta.grad if group["maximize"] else theta.grad
                m1, m2, nu = (self.state[theta].setdefault(key, torch.zeros_like(theta)) for key in ("m1", "m2", "nu"))
                m1.copy_(beta1 * m1 + (1 - beta1) * g)
                m2.copy_(beta3 * m2 + (1 - beta3) * g)
                nu.copy_(beta2 * nu + (1 - beta2) * g**2)
                m1_hat = m1 / (1 - beta1**self.t)
                nu_hat = nu / (1 - beta2**self.t)
                update = (m1_hat + group["alpha"] * m2) / (nu_hat.sqrt() + group["eps"])
                theta -= group["lr"] * (update + group["weight_decay"] * theta)


RULES = {"Lion": Lion, "AdEMAMix": AdEMAMix}
