"""Update rules that torch.optim does not have, written down line by line from the algorithms of their papers; and torch.optim.Muon with
its iteration in the precision of its parameters, where PyTorch's own rounds to bfloat16. Schedule-Free and Prodigy are their authors' packages."""

import prodigyopt
import schedulefree
import torch
from torch.optim import _muon


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


class LAMB(torch.optim.Optimizer):
    """You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2, with phi the identity. A ratio with a length of 0 is 1."""

    def __init__(self, groups, betas=(0.9, 0.999), eps=1e-6, adaptive=True, maximize=False):
        super().__init__(groups, {"betas": betas, "eps": eps, "adaptive": adaptive, "maximize": maximize})
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for x in group["params"]:
                g = -x.grad if group["maximize"] else x.grad
                m, v = (self.state[x].setdefault(key, torch.zeros_like(x)) for key in ("m", "v"))
                m.copy_(beta1 * m + (1 - beta1) * g)
                v.copy_(beta2 * v + (1 - beta2) * g**2)
                r = (m / (1 - beta1**self.t)) / ((v / (1 - beta2**self.t)).sqrt() + group["eps"])
                u = r + group["weight_decay"] * x
                ratio = x.norm() / u.norm() if group["adaptive"] and x.norm() > 0 and u.norm() > 0 else 1
                x -= group["lr"] * ratio * u


class LARS(torch.optim.Optimizer):
    """You et al. 2017, "Large Batch Training of Convolutional Networks", with the momentum of torch.optim.SGD (as timm and Apex)."""

    def __init__(self, groups, momentum=0.0, dampening=0.0, trust=1e-3, eps=1e-8, nesterov=False, adaptive=True, maximize=False):
        super().__init__(groups, {
            "momentum": momentum, "dampening": dampening, "trust": trust, "eps": eps, "nesterov": nesterov,
            "adaptive": adaptive, "maximize": maximize,
        })  # fmt: skip

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            momentum, decay = group["momentum"], group["weight_decay"]
            for w in group["params"]:
                g = -w.grad if group["maximize"] else w.grad
                local = 1
                if group["adaptive"] and w.norm() > 0 and g.norm() > 0:
                    local = group["trust"] * w.norm() / (g.norm() + decay * w.norm() + group["eps"])
                d = local * (g + decay * w)
                if momentum != 0:
                    b = self.state[w].get("b")
                    b = d.clone() if b is None else momentum * b + (1 - group["dampening"]) * d
                    self.state[w]["b"] = b
                    d = d + momentum * b if group["nesterov"] else b
                w -= group["lr"] * d


def newton_schulz(grad, coefficients, steps, eps):
    """torch.optim._muon._zeropower_via_newtonschulz without its cast to bfloat16."""
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


class Muon:
    """torch.optim.Muon for what has two axes or more, as a matrix of the first by the others; torch.optim.AdamW for the rest."""

    def __init__(self, groups, adam_lr=3e-4, adam_weight_decay=0.0, adam_betas=(0.9, 0.95), adam_eps=1e-10, **options):
        _muon._zeropower_via_newtonschulz = newton_schulz
        self.param_groups, self.parts = groups, []
        for group in groups:
            matrices = [p for p in group["params"] if p.dim() > 1]
            vectors = [p for p in group["params"] if p.dim() < 2]
            views = [torch.nn.Parameter(p.detach().view(p.size(0), -1)) for p in matrices]  # of the same memory
            muon = torch.optim.Muon(views, **options) if views else None
            adam = (
                torch.optim.AdamW(
                    vectors, lr=adam_lr, weight_decay=adam_weight_decay, betas=adam_betas, eps=adam_eps, foreach=False
                )
                if vectors
                else None
            )
            self.parts.append((group, matrices, views, muon, adam))

    def step(self):
        for group, matrices, views, muon, adam in self.parts:
            if muon:
                for p, view in zip(matrices, views):
                    view.grad = p.grad.view_as(view)
                muon.param_groups[0] |= {"lr": group["lr"], "weight_decay": group["weight_decay"]}
                muon.step()
            if adam:
                adam.step()


class AlwaysTraining:
    """Keeps the parameters where gradients are taken."""

    def __init__(self, groups, **options):
        super().__init__(groups, foreach=False, **options)
        self.train()


class SGDScheduleFree(AlwaysTraining, schedulefree.SGDScheduleFree):
    pass


class AdamWScheduleFree(AlwaysTraining, schedulefree.AdamWScheduleFree):
    pass


RULES = {"SGDScheduleFree": SGDScheduleFree, "AdamWScheduleFree": AdamWScheduleFree, "Prodigy": prodigyopt.Prodigy, "Lion": Lion, "AdEMAMix": AdEMAMix, "LAMB": LAMB, "LARS": LARS, "Muon": Muon}
