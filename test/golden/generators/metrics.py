"""Metrics of scikit-learn over arrays with ties, rare classes and means far from zero: what metrics of the same names here give."""

import numpy as np
import sklearn
from sklearn import metrics

from store import Store


def f32(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def golden():
    store = Store("metrics", __doc__.strip())
    store.record["sklearn"] = sklearn.__version__
    random = np.random.default_rng(4)

    def kept(values):
        values = np.asarray(values, dtype=np.float64)
        for key, known in store.tensors.items():
            if known.shape == values.shape and (known == values).all():
                return key
        return store.put(f"values{len(store.tensors)}", values)

    def add(name, metric, predictions, targets, value, options=None):
        keys = {"predictions": kept(predictions), "targets": kept(targets)}
        store.add({"name": name, "metric": metric, "options": options, "value": float(value), **keys})

    # Scores in steps of ¼: many ties, within and between the classes.
    for name, share, step in [("ties", 0.5, 0.25), ("rare", 0.05, 0.25), ("distinct", 0.4, 0.0)]:
        y = (random.random(200) < share).astype(int)
        scores = random.normal(size=200) + y
        scores = f32(np.round(scores / step) * step if step else scores)
        yes = scores > 0
        add(f"auc {name}", "rocAuc", scores, y, metrics.roc_auc_score(y, scores))
        add(f"accuracy {name}", "binaryAccuracy", scores, y, metrics.accuracy_score(y, yes), {"threshold": 0})
        add(f"precision {name}", "precision", scores, y, metrics.precision_score(y, yes), {"threshold": 0})
        add(f"recall {name}", "recall", scores, y, metrics.recall_score(y, yes), {"threshold": 0})
        add(f"f1 {name}", "f1", scores, y, metrics.f1_score(y, yes), {"threshold": 0})
        column = scores.reshape(-1, 1)
        add(f"auc of a column {name}", "rocAuc", column, y, metrics.roc_auc_score(y, scores))
    equal = np.zeros(20)
    add("auc of equal scores", "rocAuc", equal, np.arange(20) % 2, metrics.roc_auc_score(np.arange(20) % 2, equal))

    y = random.integers(0, 5, 150)
    scores = f32(random.normal(size=(150, 5)) + 1.5 * np.eye(5)[y])
    for k in (1, 2, 3):
        add(f"top {k}", "topK", scores, y, metrics.top_k_accuracy_score(y, scores, k=k, labels=np.arange(5)), k)
    taken = scores.argmax(1)
    add("accuracy of classes", "accuracy", scores, y, metrics.accuracy_score(y, taken))
    add("macro precision", "precision", scores, y, metrics.precision_score(y, taken, average="macro"))
    add("macro recall", "recall", scores, y, metrics.recall_score(y, taken, average="macro"))
    add("macro f1", "f1", scores, y, metrics.f1_score(y, taken, average="macro"))

    for name, shape, offset in [("numbers", (120,), 0), ("far from zero", (120, 1), 1e6), ("columns", (60, 3), 5)]:
        truth = f32(random.normal(size=shape) * 3 + offset)
        guess = f32(truth + random.normal(size=shape))
        add(f"r2 {name}", "r2", guess, truth, metrics.r2_score(truth, guess))
        add(f"mae {name}", "mae", guess, truth, metrics.mean_absolute_error(truth, guess))
        add(f"mse {name}", "mse", guess, truth, metrics.mean_squared_error(truth, guess))
        root = metrics.root_mean_squared_error(truth.ravel(), guess.ravel())
        add(f"rmse {name}", "rmse", guess, truth, root)
    level = np.full(10, 2.0)
    add("r2 of a constant, met", "r2", level, level, metrics.r2_score(level, level))
    add("r2 of a constant, missed", "r2", level + 1, level, metrics.r2_score(level, level + 1))
    add("r2 worse than the mean", "r2", -np.arange(10.0), np.arange(10.0), metrics.r2_score(np.arange(10.0), -np.arange(10.0)))
    return store
