"""What scikit-learn makes of tables: SimpleImputer, then StandardScaler or MinMaxScaler, and OneHotEncoder, in float64.

Writes preprocessing.json: for every case the training cells, the rule, fresh cells and the features that both become.
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
rng = np.random.default_rng(5)
strategies = {"mean": "mean", "median": "median", "mostFrequent": "most_frequent", "constant": "constant"}
numbers = {
    "odd": [3.5, -2.0, 8.25, None, 4.0, 4.0, 100.0, -7.5],
    "even, ties": [1.0, 2.0, 2.0, 3.0, 3.0, 9.0, None, None],
    "constant": [5.0, 5.0, None, 5.0],
    "one value": [None, -3.0, None],
    "far from zero": [1e6 + float(x) for x in rng.normal(size=40)] + [None] * 3,
    # A range below 2e-15 is constant to MinMaxScaler; ours reaches from 0 to 1 all the same.
    "tiny": [float(x) * 1e-12 for x in rng.normal(size=21)] + [None],
    "of very different size": [float(10.0**e) for e in range(-3, 8)] + [None],
}
fresh = [0.0, -1.5, 12.0, None, 1e6]


def column(cells):
    return np.array([[np.nan if cell is None else cell] for cell in cells])


def number_cases():
    for name, cells in numbers.items():
        for rule, strategy in strategies.items():
            for scale, scaler in (("none", None), ("standard", StandardScaler()), ("minMax", MinMaxScaler())):
                imputer = SimpleImputer(strategy=strategy, fill_value=-4.5, add_indicator=True)
                filled = imputer.fit_transform(column(cells))
                new = imputer.transform(column(fresh))
                values, indicator = filled[:, :1], filled[:, 1:]
                if scaler is not None:
                    values, new[:, :1] = scaler.fit_transform(values), scaler.transform(new[:, :1])
                yield {
                    "name": f"{name}, {rule}, {scale}",
                    "cells": cells,
                    "fresh": fresh,
                    "missing": {"constant": -4.5} if rule == "constant" else rule,
                    "scale": scale,
                    "features": np.hstack([values, indicator]).tolist(),
                    "freshFeatures": new.tolist(),
                }


def category_cases():
    tables = {
        "words": ["red", "blue", "Green", "blue", None, "red", "äpfel", "zebra"],
        "a tie": ["b", "a", "b", "a", None],
        "one": ["x", "x", None],
        "awkward": ["a,b", " a", "a ", "A", "a", None, "a"],
    }
    for name, cells in tables.items():
        new = [cells[0], "never seen", None, cells[-1]]
        imputer = SimpleImputer(strategy="most_frequent", missing_values=None)
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        as_column = lambda values: np.array([[value] for value in values], dtype=object)
        features = encoder.fit_transform(imputer.fit_transform(as_column(cells)))
        yield {
            "name": name,
            "cells": cells,
            "fresh": new,
            "categories": list(encoder.categories_[0]),
            "fill": imputer.statistics_[0],
            "features": features.tolist(),
            "freshFeatures": encoder.transform(imputer.transform(as_column(new))).tolist(),
        }


path = pathlib.Path(__file__).parent.parent / "data" / "preprocessing.json"
golden = {"sklearn": sklearn.__version__, "numbers": list(number_cases()), "categories": list(category_cases())}
path.write_text(json.dumps(golden, ensure_ascii=False) + "\n")
