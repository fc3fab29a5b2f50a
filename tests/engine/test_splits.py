import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import small_arrays, write_small
from sklearn.model_selection import train_test_split

from reportgen.engine import datasets, splits
from reportgen.errors import InputError


def test_the_split_is_scikit_learns_on_the_arrays(tmp_path: Path) -> None:
    arrays = write_small(tmp_path / "own.npz", train=100, test=20)
    info, images = splits.load("own.npz", fallback=False, project=tmp_path)
    x_train, x_validation, y_train, _ = train_test_split(
        arrays["x_train"], arrays["y_train"], test_size=0.2, random_state=42
    )
    np.testing.assert_array_equal(images.x_train, x_train)
    np.testing.assert_array_equal(images.x_validation, x_validation)
    assert info.train_counts == tuple(np.bincount(y_train, minlength=10))
    mean, deviation = images.standardization
    assert mean == pytest.approx((x_train / 255).mean())
    assert deviation == pytest.approx((x_train / 255).std())


def test_the_digest_is_of_the_content_and_not_of_the_file(tmp_path: Path) -> None:
    arrays = write_small(tmp_path / "a.npz", train=100, test=20)
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    arrays["y_test"] = arrays["y_test"][::-1].copy()
    np.savez(tmp_path / "c.npz", **arrays)
    a, b, c = (
        splits.load(f"{name}.npz", fallback=False, project=tmp_path)[0].digest for name in "abc"
    )
    assert a == b != c


Damage = Callable[[Path, dict[str, Any]], None]


def _truncated(path: Path, _: dict[str, Any]) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def _altered(path: Path, _: dict[str, Any]) -> None:
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)


def _pickled(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays | {"y_train": np.array([{}] * 100, dtype=object)})


def _text(path: Path, _: dict[str, Any]) -> None:
    path.write_text("not an archive")


def _with(**changed: Any) -> Damage:
    return lambda path, arrays: np.savez(path, **arrays | changed)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_truncated, "damaged"),
        (_altered, "damaged"),
        (_pickled, "damaged"),
        (_text, "damaged"),
        (lambda path, a: np.savez(path, x_train=a["x_train"]), "no array y_train, x_test, y_test"),
        (_with(x_train=np.zeros((100, 8, 8))), "x_train must be of type uint8"),
        (_with(x_train=np.zeros((100, 64), np.uint8)), "x_train must have shape"),
        (_with(y_train=np.zeros(99, np.uint8)), "y_train must have shape (100,)"),
        (_with(x_test=np.zeros((20, 9, 9), np.uint8)), "one size"),
        (_with(y_test=np.full(20, 12, np.uint8)), "every class from 0 to 12"),
        (_with(x_test=np.zeros((0, 8, 8), np.uint8)), "x_test is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_and_never_loaded(
    tmp_path: Path, damage: Damage, told: str
) -> None:
    path = tmp_path / "own.npz"
    damage(path, write_small(path, train=100, test=20))
    with pytest.raises(InputError, match=r"own\.npz") as caught:
        splits.load("own.npz", fallback=True, project=tmp_path)
    assert told in caught.value.message
    assert caught.value.hint


def test_a_missing_file_and_an_unknown_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        splits.load("absent.npz", fallback=True, project=tmp_path)
    with pytest.raises(InputError, match="did you mean 'fashion-mnist'"):
        splits.load("fashion_mnist", fallback=True, project=tmp_path)


def test_other_images_named_mnist_are_never_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small(tmp_path / "mnist.npz", train=100, test=20, side=28)
    monkeypatch.setenv("REPORTGEN_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match="are not MNIST's"):
        splits.load("mnist", fallback=True, project=tmp_path)


def test_keras_cache_is_looked_in(offline: Path) -> None:
    (offline / "keras" / "datasets").mkdir(parents=True)
    write_small(offline / "keras" / "datasets" / "mnist.npz", train=100, test=20)
    assert datasets.locate("mnist", offline) == offline / "keras" / "datasets" / "mnist.npz"
    with pytest.raises(InputError, match="are not MNIST's"):
        splits.load("mnist", fallback=True, project=offline)


def test_a_download_goes_into_keras_cache(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(address: str, **_: object) -> io.BytesIO:
        asked.append(address)
        return io.BytesIO(b"whatever")

    monkeypatch.setattr(splits.urllib.request, "urlopen", answer)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="damaged"):
        splits.load("mnist", fallback=True, project=offline)
    assert asked == [splits.KERAS_ADDRESS + "mnist.npz"]
    assert (offline / "keras" / "datasets" / "mnist.npz").read_bytes() == b"whatever"


def test_without_mnist_the_embedded_images_stand_in_with_equal_classes(offline: Path) -> None:
    info, images = splits.load("mnist", fallback=True, project=offline)
    assert info.fallback
    assert info.described()["balanced"]
    assert info.train_counts == (320,) * 10
    assert (info.validation, info.test_counts) == (800, (100,) * 10)
    assert images.shape == (28, 28)
    assert info.described()["log_prior_loss"] == pytest.approx(np.log(10))


def test_without_mnist_and_fallback_it_says_what_to_do(offline: Path) -> None:
    with pytest.raises(InputError, match="could not be downloaded") as caught:
        splits.load("mnist", fallback=False, project=offline)
    assert "REPORTGEN_DATA_DIR" in caught.value.hint


def test_fashion_mnist_is_read_from_idx_files(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="could not be downloaded"):
        splits.load("fashion-mnist", fallback=True, project=offline)
    arrays = small_arrays(train=100, test=20)
    for name, key in zip(datasets.IDX_FILES, splits.NAMES, strict=True):
        array = arrays[key]
        header = struct.pack(f">{array.ndim + 1}I", 0x0800 + array.ndim, *array.shape)
        (tmp_path / name).write_bytes(header + array.tobytes())
    monkeypatch.setenv("REPORTGEN_DATA_DIR", str(tmp_path))
    info, images = splits.load("fashion-mnist", fallback=True, project=tmp_path)
    assert info.class_names[9] == "Ankle boot"
    np.testing.assert_array_equal(images.x_test, arrays["x_test"])
    (tmp_path / datasets.IDX_FILES[0]).write_bytes(b"\0\0\x08\x03\0")
    with pytest.raises(InputError, match=datasets.IDX_FILES[0]):
        splits.load("fashion-mnist", fallback=True, project=tmp_path)


def test_mnist_is_known_by_its_content(mnist: Any) -> None:
    info, images = mnist
    assert (info.title, info.fallback, images.shape) == ("MNIST", False, (28, 28))
    assert (info.train, info.validation, sum(info.test_counts)) == (48000, 12000, 10000)
    described = info.described()
    assert (described["majority"], info.train_counts[1]) == ("1", 5420)
    assert described["log_prior_loss"] == pytest.approx(2.3010, abs=5e-5)
