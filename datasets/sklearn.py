"""Real data for first steps: the sets that come with scikit-learn, read from its own files."""

from typing import Any, Literal

import numpy as np

from datasets.encoding import Column, Encoding
from datasets.types import Dataset, Rows

Bundled = Literal["iris", "wine", "digits", "breast_cancer", "diabetes"]


# `set` is the word of the command line, dataset.set=iris, and hides nothing that is needed here.
def sklearn(set: Bundled = "iris") -> Dataset:
    """One of the data sets that scikit-learn brings; nothing is fetched.

        iris           150 flowers, 4 measures, 3 kinds (Fisher 1936)
        wine           178 wines, 13 measures, 3 growers (Forina 1991)
        breast_cancer  569 samples, 30 measures, malignant or benign (Street et al. 1993)
        digits         1797 pictures of 8 x 8 pixels in 0..16, 10 digits (Alpaydin & Kaynak 1998)
        diabetes       442 patients, 10 measures, how the disease went on: a regression (Efron et al. 2004)

    Arguments:
        set: which of them.

    Returns X (n, d) in the units of the source (of diabetes scaled as published); y, indices of the classes or numbers.

    >>> sklearn("iris").classes
    ('setosa', 'versicolor', 'virginica')
    """
    from sklearn import datasets as bundled

    # Called by name, so that what is called stands here.
    load = {
        "iris": bundled.load_iris,
        "wine": bundled.load_wine,
        "digits": bundled.load_digits,
        "breast_cancer": bundled.load_breast_cancer,
        "diabetes": bundled.load_diabetes,
    }[set]
    found = load()
    X = np.ascontiguousarray(found.data, dtype=np.float64)
    names = tuple(str(name) for name in found.feature_names)
    return Dataset(
        "sklearn",
        Rows(X, found.target.astype(np.float64 if set == "diabetes" else np.int64)),
        classes=None if set == "diabetes" else _classes(found.target_names),
        inputs=names,
        image_shape=(8, 8, 1) if set == "digits" else None,
        source=f"scikit-learn's {set}",
        encoding=Encoding(tuple(Column(name) for name in names)),
    )


def _classes(names: Any) -> tuple[float, ...] | tuple[str, ...]:
    if names.dtype.kind in "iuf":
        return tuple(float(name) for name in names)
    return tuple(str(name) for name in names)
