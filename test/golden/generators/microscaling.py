"""MXFP4 of the OCP's microscaling formats, revision 1.0, by ml_dtypes 0.6: codes, scales and values of weights in blocks of 32.

The scale of a block is 2^(floor(log2 max|w|) - 2); w / scale is clipped to ±6 and rounded by the cast to float4_e2m1fn (halves to even).
Blocks hold ordinary values, ties between neighbouring floats, powers of two and their neighbours, zeros, and sizes from 1e-20 to 1e20.

    .venv/bin/pip install ml_dtypes==0.6.0 numpy && .venv/bin/python test/golden/generators/microscaling.py
"""

import json
import pathlib

import ml_dtypes
import numpy as np

DATA = pathlib.Path(__file__).parent.parent / "data"


def block_of(rng, kind):
    if kind == "normal":
        return rng.standard_normal(32)
    if kind == "ties":
        steps = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, 6.5, 7.5, 4.0])
        return rng.choice(steps, 32) * rng.choice([-1, 1], 32) * 2.0 ** rng.integers(-3, 4)
    if kind == "powers":
        top = np.float32(2.0 ** rng.integers(-8, 9))
        top = rng.choice([np.nextafter(top, np.float32(0)), top, np.nextafter(top, np.float32(np.inf))])
        return np.concatenate([[top], rng.uniform(-1, 1, 31) * top])
    if kind == "zeros":
        return np.zeros(32)
    return rng.standard_normal(32) * 10.0 ** rng.uniform(-20, 20)


def quantized(w):
    groups = w.reshape(-1, 32)
    most = np.abs(groups).max(1).astype(np.float64)
    exponent = np.where(most > 0, np.floor(np.log2(np.where(most > 0, most, 1))) - 2, 0)
    exponent = np.where(np.ldexp(1.0, (exponent + 2).astype(int)) > np.where(most > 0, most, 4), exponent - 1, exponent)
    scale = np.ldexp(1.0, exponent.astype(int))
    bytes_ = scale.astype(np.float32).astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    codes = np.clip(groups / scale[:, None], -6, 6).astype(ml_dtypes.float4_e2m1fn)
    values = codes.astype(np.float64) * bytes_.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)[:, None]
    return bytes_, codes.view(np.uint8) & 15, values


if __name__ == "__main__":
    rng = np.random.default_rng(11)
    kinds = ["normal", "ties", "powers", "zeros", "sizes"] * 4
    w = np.concatenate([block_of(rng, kind) for kind in kinds]).astype(np.float32)
    scales, codes, values = quantized(w)
    assert np.array_equal(values.astype(np.float32).astype(np.float64), values)
    record = {
        "about": __doc__.strip(),
        "ml_dtypes": ml_dtypes.__version__,
        "weights": [float(x) for x in w],
        "scales": scales.tolist(),
        "codes": codes.reshape(-1).tolist(),
        "values": [float(x) for x in values.reshape(-1)],
    }
    (DATA / "microscaling.json").write_text(json.dumps(record) + "\n")
