"""Images that cannot be used or reached, whatever is wrong with them."""

import gzip
import hashlib
import http.client
import io
import pickle
import struct
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import small_arrays, write_small

from reportgen.engine import datasets, splits
from reportgen.engine.splits import NAMES
from reportgen.errors import InputError


def idx(array: Any) -> bytes:
    """An array in LeCun's format."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + bytes(array.tobytes())


class Address:
    """Stands for Keras's download address: what it has, and what was asked of it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, list[str]()

    def __call__(self, address: str, **_: object) -> io.BytesIO:
        self.asked.append(address.removeprefix(splits.KERAS_ADDRESS))
        return io.BytesIO(self.files[self.asked[-1]])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Keras home on a machine without a data folder."""
    monkeypatch.delenv("REPORTGEN_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def answers(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", answer)


# --- .npz files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_no_altered_byte_of_a_file_changes_what_is_trained_on_or_ends_in_a_traceback(
    tmp_path: Path, write: Any
) -> None:
    path = tmp_path / "own.npz"
    write(path, **small_arrays(train=12, test=2, side=2, classes=2))
    whole = path.read_bytes()
    content = [splits.idx_digest(array) for array in splits.read_npz(path)]
    refused = 0
    for position in range(len(whole)):
        for flip in (0x01, 0x80):
            altered = bytearray(whole)
            altered[position] ^= flip
            path.write_bytes(altered)
            try:
                read = [splits.idx_digest(array) for array in splits.read_npz(path)]
            except InputError:
                refused += 1
            else:
                assert read == content, position
    assert refused > len(whole)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    write_small(path, train=12, test=2, side=2, classes=2)
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"own\.npz"):
            splits.read_npz(path)


class _Trap:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> Any:
        return (Path.touch, (self.sprung,))


@pytest.mark.parametrize("inside", [True, False])
def test_pickled_content_is_never_run(tmp_path: Path, inside: bool) -> None:
    path, sprung = tmp_path / "own.npz", tmp_path / "sprung"
    if inside:
        arrays = small_arrays(train=12, test=2)
        np.savez(path, **arrays | {"y_test": np.array([_Trap(sprung)] * 2, dtype=object)})
    else:
        path.write_bytes(pickle.dumps(_Trap(sprung)))
    with pytest.raises(InputError) as caught:
        splits.read_npz(path)
    assert "never loaded" in caught.value.hint
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"x", b"", b"\x93NUMP", np.zeros(8, np.uint8).tobytes()])
def test_a_member_that_is_no_array_is_told(tmp_path: Path, content: bytes) -> None:
    np.savez(tmp_path / "own.npz", **small_arrays(train=100, test=20))
    with zipfile.ZipFile(tmp_path / "own.npz") as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as packed:
        for name, data in {**files, "y_test.npy": content}.items():
            packed.writestr(name, data)
    with pytest.raises(InputError, match=r"own\.npz"):
        splits.read_npz(tmp_path / "own.npz")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"x_train": np.zeros((9, 8, 8), np.uint8), "y_train": np.zeros(9, np.uint8)}, "at least"),
        ({"y_train": np.zeros(100, np.uint8), "y_test": np.zeros(20, np.uint8)}, "two classes"),
        ({"y_train": np.arange(100, dtype=np.int64) % 10}, "y_train must be of type uint8"),
        ({"y_test": np.zeros((20, 1), np.uint8)}, "y_test must have shape (20,)"),
        ({"x_test": np.zeros((20, 8, 8, 1), np.uint8)}, "x_test must have shape"),
        ({"x_test": np.uint8(3)}, "x_test must have shape"),
        ({"x_train": np.zeros((100, 8, 0), np.uint8)}, "x_train is empty"),
        ({"y_train": np.arange(100, dtype=np.uint8) % 2 * 2}, "every class from 0"),
    ],
)
def test_arrays_of_another_kind_are_told_by_name(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    np.savez(tmp_path / "own.npz", **small_arrays(train=100, test=20) | changed)
    with pytest.raises(InputError) as caught:
        splits.load("own.npz", fallback=True, project=tmp_path)
    assert str(tmp_path / "own.npz") in caught.value.message
    assert told in caught.value.message


# --- the download -------------------------------------------------------------------------------


class _Cut(io.BytesIO):
    def read(self, *_: object) -> bytes:
        raise http.client.IncompleteRead(b"half", 100)


@pytest.mark.parametrize(
    "failure", [TimeoutError("timed out"), ConnectionResetError(), http.client.BadStatusLine("x")]
)
def test_a_download_that_fails_leaves_the_stand_in(
    home: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    answers(monkeypatch, fail)
    assert splits.load("mnist", fallback=True, project=home)[0].fallback


def test_a_download_that_is_cut_leaves_no_file_to_be_found_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, lambda *_, **__: _Cut())
    with pytest.raises(InputError, match="could not be downloaded"):
        splits.load("mnist", fallback=False, project=home)
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_a_keras_home_that_cannot_be_written_is_as_no_download(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write_text("a file in the folder's place")
    answers(monkeypatch, Address({"mnist.npz": b"whatever"}))
    with pytest.raises(InputError, match="could not be downloaded"):
        splits.load("mnist", fallback=False, project=home.parent)


def test_the_users_folder_comes_before_keras_cache(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "mine", home / "datasets"):
        folder.mkdir(parents=True)
        write_small(folder / "mnist.npz", train=100, test=20)
    monkeypatch.setenv("REPORTGEN_DATA_DIR", str(tmp_path / "mine"))
    answers(monkeypatch, Address({}))
    for place in (tmp_path / "mine" / "mnist.npz", home / "datasets" / "mnist.npz"):
        assert datasets.locate("mnist", tmp_path) == place
        with pytest.raises(InputError) as caught:
            splits.load("mnist", fallback=True, project=tmp_path)
        assert str(place) in caught.value.message
        place.unlink()


def test_fashion_mnist_is_downloaded_into_keras_own_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = small_arrays(train=100, test=20)
    files = {
        f"{name}.gz": gzip.compress(idx(arrays[key]))
        for name, key in zip(datasets.IDX_FILES, NAMES, strict=True)
    }
    address = Address(files)
    answers(monkeypatch, address)
    info, images = splits.load("fashion-mnist", fallback=False, project=home)
    assert address.asked == list(files)
    assert (info.title, info.fallback, len(info.class_names)) == ("Fashion-MNIST", False, 10)
    np.testing.assert_array_equal(images.y_test, arrays["y_test"])

    again, _ = splits.load("fashion-mnist", fallback=False, project=home)
    assert address.asked == list(files)  # from the cache
    assert again.digest == info.digest
    found = datasets.locate("fashion-mnist", home)
    assert found is not None
    assert found.is_relative_to(home / "datasets" / "fashion-mnist")


# --- IDX files ----------------------------------------------------------------------------------


@pytest.fixture
def folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with Fashion-MNIST's four files, gzipped but for one."""
    arrays = small_arrays(train=100, test=20)
    place = tmp_path / "data"
    place.mkdir()
    for name, key in zip(datasets.IDX_FILES, NAMES, strict=True):
        content = idx(arrays[key])
        if key == "y_test":
            (place / name).write_bytes(content)
        else:
            (place / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("REPORTGEN_DATA_DIR", str(place))
    answers(monkeypatch, Address({}))
    return place


def test_idx_files_are_read_plain_or_gzipped(folder: Path) -> None:
    arrays = small_arrays(train=100, test=20)
    info, images = splits.load("fashion-mnist", fallback=False, project=folder)
    np.testing.assert_array_equal(images.x_test, arrays["x_test"])
    np.testing.assert_array_equal(images.y_test, arrays["y_test"])
    digests = "".join(hashlib.sha256(idx(arrays[name])).hexdigest() for name in NAMES)
    assert info.digest == hashlib.sha256(digests.encode()).hexdigest()
    assert datasets.locate("fashion-mnist", folder) is not None


@pytest.mark.parametrize("keep", [0, 3, 10, 500, -9])
def test_an_idx_file_that_is_cut_is_told_by_its_path(folder: Path, keep: int) -> None:
    path = folder / f"{datasets.IDX_FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught:
        splits.load("fashion-mnist", fallback=True, project=folder)
    assert str(path) in caught.value.message


def test_idx_files_of_another_type_or_order_are_refused(folder: Path) -> None:
    labels = folder / datasets.IDX_FILES[3]
    whole = labels.read_bytes()
    labels.write_bytes(whole[:2] + b"\x0d" + whole[3:])  # 0x0d: floats
    with pytest.raises(InputError, match="not an IDX file of bytes"):
        splits.load("fashion-mnist", fallback=True, project=folder)
    labels.write_bytes(gzip.decompress((folder / f"{datasets.IDX_FILES[0]}.gz").read_bytes()))
    with pytest.raises(InputError, match="y_test must have shape"):
        splits.load("fashion-mnist", fallback=True, project=folder)


# --- what is known of the arrays -----------------------------------------------------------------


def test_an_arrays_digest_is_that_of_its_idx_file_however_it_lies_in_memory() -> None:
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    expected = hashlib.sha256(idx(array)).hexdigest()
    assert splits.idx_digest(array) == expected
    assert splits.idx_digest(np.asfortranarray(array)) == expected
    assert splits.idx_digest(array.reshape(3, 5, 4)) != expected


def test_blank_images_can_be_standardized(tmp_path: Path) -> None:
    arrays = small_arrays(train=100, test=20)
    arrays["x_train"][:] = 51
    np.savez(tmp_path / "own.npz", **arrays)
    _, images = splits.load("own.npz", fallback=False, project=tmp_path)
    assert images.standardization == pytest.approx((0.2, 1.0))
