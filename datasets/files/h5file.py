"""Reading HDF5 files: what goes wrong with one is said as a DataError."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datasets.files.tables import listed, nearest
from datasets.types import DataError


def opened(path: Path) -> h5py.File:
    """The file, open for reading, or DataError where it is not whole."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is damaged or no HDF5 file ({error}); expected a file that h5py opens.") from None


def array_at(file: h5py.File, key: str, path: Path, expected: str = "an array") -> NDArray[Any]:
    """The dataset `key` as an array, text as str; or DataError that lists what the file holds."""
    return _read(dataset_at(file, key, path, expected), (), f"'{key}' in {path}", expected)


def dataset_at(file: h5py.File, key: str, path: Path, expected: str = "an array") -> h5py.Dataset:
    """The dataset `key`, unread; or DataError that lists what the file holds."""
    found = file.get(key)
    if isinstance(found, h5py.Dataset):
        return found
    names = _names(file)
    if _pandas(file):
        raise DataError(
            f"{path} is pandas' HDFStore, a layout that only pandas reads. Write the table as parquet: "
            f"pandas.read_hdf('{path}').to_parquet('own.parquet'), then dataset=csv dataset.path=own.parquet"
        )
    raise DataError(
        f"{path} has no dataset '{key}'; it holds {listed(names)}; expected {expected}{nearest(key, names)}."
    )


def slice_of(dataset: h5py.Dataset, start: int, stop: int, n: int, where: str) -> NDArray[Any]:
    """The rows from `start` to `stop` of an array of n rows, or of a row (1, n) of n targets, text as str."""
    leading = () if len(dataset) == n else (slice(None),) * (dataset.ndim - 1)
    return _read(dataset, (*leading, slice(start, stop)), where, "an array")


def _read(dataset: h5py.Dataset, where_in: tuple[slice, ...], where: str, expected: str) -> NDArray[Any]:
    try:
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return np.array(dataset.asstr()[where_in], dtype=np.str_)
        array = dataset[where_in]
    except UnicodeDecodeError as error:
        raise DataError(f"{where} holds bytes that are not UTF-8 text: {error}.") from None
    except OSError as error:
        if "not registered" in str(error) or "plugin" in str(error):
            raise DataError(
                f"{where} is packed by a filter that is not installed ({error}): uv pip install hdf5plugin brings "
                "most, or write the file again with compression='gzip'."
            ) from None
        raise DataError(f"{where} is damaged ({error}); expected {expected}.") from None
    return np.asarray(array)


def array_of(file: h5py.File, path: Path, notes: list[str]) -> Callable[[str], NDArray[Any]]:
    """`array_at` of this file; arrays that MATLAB wrote (-v7.3) are turned, which is said: it lays columns first."""
    matlab = file.userblock_size >= 512 and path.read_bytes()[:10] == b"MATLAB 7.3"
    if matlab:
        notes.append(f"{path} is MATLAB's (-v7.3), which lays columns first: its arrays are turned.")
    return lambda key: array_at(file, key, path).T if matlab else array_at(file, key, path)


def _pandas(file: h5py.File) -> bool:
    """Whether pandas' HDFStore wrote the file: its tables are in a layout of its own."""
    return any("pandas_type" in item.attrs for item in file.values())


def _names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
