"""Losses of distillation and their gradients with respect to the student, in float64, from float32-exact inputs.

Each formula is written from its paper with torch.nn.functional. A case has `inputs` (those that begin with "teacher" and the
labels carry no gradient), `options`, `value` and `gradients`.
"""

import torch
import torch.nn.functional as F

from store import Store, drawn


class Losses:
    def __init__(self):
        self.store = Store("distillation", __doc__.strip())
        self.generator = torch.Generator().manual_seed(11)

    def draw(self, *shape, scale=1.0):
        return drawn(self.generator, *shape, scale=scale).float().double()

    def labels(self, classes, *shape):
        return torch.randint(0, classes, shape, generator=self.generator)

    def add(self, name, loss, run, inputs, options=None):
        leaves = {n: t.clone().requires_grad_(n.startswith("student")) for n, t in inputs.items()}
        value = run(**leaves)
        wanted = [n for n in leaves if n.startswith("student")]
        gradients = torch.autograd.grad(value, [leaves[n] for n in wanted])
        put = self.store.put
        kinds = {n: "float32" if t.is_floating_point() else "int32" for n, t in inputs.items()}
        self.store.add({
            "name": name, "loss": loss, "options": options or {}, "value": value.item(),
            "inputs": {n: put(f"{name}/inputs/{n}", t, kinds[n]) for n, t in inputs.items()},
            "gradients": {n: put(f"{name}/gradients/{n}", g) for n, g in zip(wanted, gradients)},
        })  # fmt: skip


def kl(student, teacher, T):
    return F.kl_div((student / T).log_softmax(-1), (teacher / T).log_softmax(-1), reduction="batchmean", log_target=True)


def scores(losses):
    rows = lambda: {"student": losses.draw(6, 5, scale=2), "teacher": losses.draw(6, 5, scale=3)}
    for T in (1, 4):
        losses.add(f"kd-{T}", "kd", lambda student, teacher: T * T * kl(student, teacher, T), rows(), {"temperature": T})
    def jensen_shannon(student, teacher, T):
        q, p = (student / T).softmax(-1), (teacher / T).softmax(-1)
        middle = ((p + q) / 2).log()
        apart = lambda r: F.kl_div(middle, r, reduction="batchmean")
        return T * T * (apart(p) + apart(q)) / 2

    losses.add(
        "reverse", "kd", lambda student, teacher: 4 * kl(teacher, student, 2), rows(),
        {"temperature": 2, "divergence": "reverse"},
    )  # fmt: skip
    losses.add(
        "jensen-shannon", "kd", lambda student, teacher: jensen_shannon(student, teacher, 2), rows(),
        {"temperature": 2, "divergence": "jensenShannon"},
    )  # fmt: skip
    losses.add(
        "hinton", "hinton",
        lambda student, teacher, labels: 0.7 * 16 * kl(student, teacher, 4) + 0.3 * F.cross_entropy(student, labels),
        {**rows(), "labels": losses.labels(5, 6)}, {"temperature": 4, "alpha": 0.7},
    )  # fmt: skip
    losses.add(
        "soft-cross-entropy", "softCrossEntropy",
        lambda student, teacher: 9 * F.cross_entropy(student / 3, (teacher / 3).softmax(-1)), rows(), {"temperature": 3},
    )  # fmt: skip

    def dkd(student, teacher, labels, T, target, others):
        """Zhao et al. 2022, equation 7: target · KL(b_t ‖ b_s) + others · KL(p̂_t ‖ p̂_s)."""
        picked = F.one_hot(labels, student.shape[-1]).bool()
        p, q = (teacher / T).softmax(-1), (student / T).softmax(-1)
        yes_p, yes_q = p[picked], q[picked]
        binary = yes_p * (yes_p / yes_q).log() + (1 - yes_p) * ((1 - yes_p) / (1 - yes_q)).log()
        rest = lambda s: s[~picked].view(len(s), -1)
        return T * T * (target * binary.mean() + others * kl(rest(student), rest(teacher), T))

    for name, T, target, others in (("dkd", 4, 1, 8), ("dkd-cold", 1, 0.5, 2)):
        losses.add(
            name, "dkd", lambda student, teacher, labels: dkd(student, teacher, labels, T, target, others),
            {**rows(), "labels": losses.labels(5, 6)}, {"temperature": T, "target": target, "others": others},
        )  # fmt: skip

    def dist(student, teacher, T, inter, intra):
        """Huang et al. 2022: Pearson's distance over rows and over columns of the probabilities."""
        q, p = (student / T).softmax(-1), (teacher / T).softmax(-1)
        apart = lambda a, b: 1 - torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(a, b)]).mean()
        return T * T * (inter * apart(q, p) + intra * apart(q.T, p.T))

    for name, T, inter, intra in (("dist", 1, 1, 1), ("dist-warm", 4, 2, 0.5)):
        losses.add(
            name, "dist", lambda student, teacher: dist(student, teacher, T, inter, intra), rows(),
            {"temperature": T, "inter": inter, "intra": intra},
        )  # fmt: skip

    standard = lambda z: (z - z.mean(-1, keepdim=True)) / (z.std(-1, keepdim=True) + 1e-7)
    losses.add(
        "standardized", "logitStandardization",
        lambda student, teacher: 4 * kl(standard(student), standard(teacher), 2), rows(), {"temperature": 2},
    )  # fmt: skip


def features(losses):
    image = lambda c, size=4: losses.draw(3, c, size, size)
    losses.add("hint", "hint", lambda student, teacher: F.mse_loss(student, teacher), {"student": image(2), "teacher": image(2)})

    def attention(student, teacher, power):
        map_of = lambda f: F.normalize(f.abs().pow(power).mean(1).flatten(1))
        return (map_of(student) - map_of(teacher)).pow(2).mean()

    for name, power in (("attention", 2), ("attention-cubed", 3)):
        losses.add(
            name, "attentionTransfer", lambda student, teacher: attention(student, teacher, power),
            {"student": image(2), "teacher": image(5)}, {"power": power},
        )  # fmt: skip
    tokens = {"student": losses.draw(3, 7, 2), "teacher": losses.draw(3, 7, 6)}
    losses.add(
        "attention-tokens", "attentionTransfer",
        lambda student, teacher: attention(student.transpose(1, 2), teacher.transpose(1, 2), 2), tokens, {"power": 2},
    )  # fmt: skip

    def flow(a, b):
        return torch.einsum("nchw,ndhw->ncd", a, b) / (a.shape[2] * a.shape[3])

    losses.add(
        "fsp", "fsp",
        lambda student, studentTo, teacher, teacherTo: (flow(student, studentTo) - flow(teacher, teacherTo)).pow(2).mean(),
        {"student": image(2), "studentTo": image(3), "teacher": image(2, 5), "teacherTo": image(3, 5)},
    )  # fmt: skip

    def rkd(student, teacher, distance, angle):
        """Park et al. 2019, equations 6 to 9, over all ordered pairs and triples."""
        def distances(x):
            n = len(x)
            apart = torch.stack([(x[i] - x[j]).norm() if i != j else x.new_zeros(()) for i in range(n) for j in range(n)])
            return apart / (apart.sum() / (n * (n - 1)))

        def cosines(x):
            toward = F.normalize(x[None] - x[:, None], dim=-1)
            return torch.einsum("ijd,ikd->ijk", toward, toward)

        huber = F.smooth_l1_loss
        return distance * huber(distances(student), distances(teacher)) + angle * huber(cosines(student), cosines(teacher))

    for name, distance, angle in (("rkd", 25, 50), ("rkd-distance", 1, 0), ("rkd-angle", 0, 1)):
        losses.add(
            name, "rkd", lambda student, teacher: rkd(student, teacher, distance, angle),
            {"student": losses.draw(5, 3), "teacher": losses.draw(5, 8)}, {"distance": distance, "angle": angle},
        )  # fmt: skip

    def similarity(student, teacher):
        gram = lambda f: F.normalize(f.flatten(1) @ f.flatten(1).T)
        return (gram(student) - gram(teacher)).norm("fro").pow(2) / len(student) ** 2

    losses.add("similarity", "similarity", similarity, {"student": image(2), "teacher": image(5, 3)})


def golden():
    losses = Losses()
    scores(losses)
    features(losses)
    return losses.store
