"""The test functions of functions.ts, for Optuna's side. Each is (bounds, f, least value, standard deviation of the noise)."""

import math

H_A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
H_P = [
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
]
ALPHA = [1.0, 1.2, 3.0, 3.2]


def branin(x):
    a, b = x
    t = b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6
    return t * t + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10


def hartmann6(x):
    return -sum(
        w * math.exp(-sum(a * (xi - p * 1e-4) ** 2 for a, p, xi in zip(row, at, x))) for w, row, at in zip(ALPHA, H_A, H_P)
    )


def rosenbrock(x):
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


SHIFT = [7.3, -11.9, 4.1, 14.7, -2.6]


def ackley(x):
    n = len(x)
    z = [a - s for a, s in zip(x, SHIFT)]
    return (
        -20 * math.exp(-0.2 * math.sqrt(sum(a * a for a in z) / n))
        - math.exp(sum(math.cos(2 * math.pi * a) for a in z) / n)
        + 20
        + math.e
    )


def levy(x):
    w = [1 + (a - 1) / 4 for a in x]
    inner = sum((a - 1) ** 2 * (1 + 10 * math.sin(math.pi * a + 1) ** 2) for a in w[:-1])
    return math.sin(math.pi * w[0]) ** 2 + inner + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)


FUNCTIONS = {
    "branin": ([(-5, 10), (0, 15)], branin, 0.0),
    "hartmann6": ([(0, 1)] * 6, hartmann6, 0.0),
    "rosenbrock5": ([(-2.048, 2.048)] * 5, rosenbrock, 0.0),
    "ackley5": ([(-32.768, 32.768)] * 5, ackley, 0.0),
    "noisy-levy4": ([(-10, 10)] * 4, levy, 1.0),
}
