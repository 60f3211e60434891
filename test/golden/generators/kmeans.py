"""Inertia of scikit-learn's KMeans (k-means++, ten starts) on weights of several distributions: no table that is found for them
may be much worse. `inertia` is of float64 values that float32 represents exactly."""

import numpy as np
import sklearn
import torch
from sklearn.cluster import KMeans

from store import Store, drawn

ROWS, COLUMNS = 24, 128


def samples():
    generator = torch.Generator().manual_seed(31)
    normal = drawn(generator, ROWS, COLUMNS, scale=0.05)
    uniform = drawn(generator, ROWS, COLUMNS)
    outliers = normal.clone()
    outliers.view(-1)[::97] *= 40
    return {
        "normal": normal,
        "laplace": (normal * uniform.abs() * 2).float().double(),
        "one side": (normal.abs() + 0.01).float().double(),
        "two humps": (normal + 0.4 * torch.sign(uniform)).float().double(),
        "outliers": outliers.float().double(),
    }


def golden():
    store = Store("kmeans", __doc__)
    store.record["sklearn"] = sklearn.__version__
    for name, values in samples().items():
        key = store.put(name, values.float())
        line = values.numpy().reshape(-1, 1)
        for entries in (4, 16, 64, 256):
            model = KMeans(n_clusters=entries, n_init=10, random_state=0).fit(line)
            store.add({"name": f"{name}, {entries}", "weights": key, "entries": entries, "inertia": float(model.inertia_)})
    return store
