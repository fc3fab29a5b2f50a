"""Whatever stands in a file that a user gives, it works or is refused in the report's own words."""

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import KEYS, bounded, cases, headers, junk, mutated, values
from hypothesis import given
from hypothesis import strategies as st
from samples import record, small_arrays

from reportgen import config
from reportgen.engine import datasets, splits
from reportgen.engine.runs import Layer, RunSpec
from reportgen.engine.store import Store, _line
from reportgen.experiments.registry import chosen
from reportgen.publish import submission


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a file that every example writes anew."""
    return tmp_path_factory.mktemp("fuzz")


# --- reportgen.toml -----------------------------------------------------------------------------

near = st.tuples(st.sampled_from(KEYS), values).map(" = ".join)
assignments = st.one_of(near, near, st.tuples(junk, values).map(" = ".join))
many = st.lists(st.one_of(assignments, assignments, headers, junk), max_size=8).map("\n".join)
toml = st.one_of(near, near, many)  # one line reaches what a fault above it would hide
SETTINGS = (Path(__file__).parents[1] / "reportgen.toml").read_bytes()


@cases(200)
@given(content=st.one_of(toml.map(str.encode), mutated(SETTINGS), st.binary(max_size=99)))
def test_any_configuration_is_read_or_refused(content: bytes, place: Path) -> None:
    (place / "reportgen.toml").write_bytes(content)
    with bounded():
        read = config.load(place)
        chosen(read)
        datasets.locate(read.dataset, place)


# --- results/*.jsonl ----------------------------------------------------------------------------

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), junk),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(junk, inner, max_size=3)),
    max_leaves=5,
)
finished = {"status": "finished", "spec": asdict(RunSpec("d1", (Layer(3),), 0, 1))}
fields = st.sampled_from(["key", "status", "spec", "arrays", "seed", "layers"])
records = st.dictionaries(fields, st.one_of(json_values, st.sampled_from(["a", "finished"])))
raw = st.one_of(
    records.map(lambda it: json.dumps({**record("a"), **it}).encode()),
    json_values.map(lambda it: json.dumps(it).encode()),
    mutated(json.dumps({**record("b"), **finished}).encode()),
    st.sampled_from([b"[" * 99999, b"9" * 5000, b'{"key":"../../a","arrays":"0"}']),
    st.binary(max_size=60),
)
# The checksum tells accidents; who writes lines by hand can make it right.
lines = st.one_of(raw.map(_line), raw.map(_line).flatmap(mutated), st.binary(max_size=99))


@cases(150)
@given(
    found=st.lists(lines, max_size=4), end=st.sampled_from([b"\n", b"", b"\r\n"]), notes=json_values
)
def test_any_results_are_read_or_dropped(
    found: list[bytes], end: bytes, notes: Any, place: Path
) -> None:
    (place / "trial.jsonl").write_bytes(b"\n".join(found) + end)
    (place / "datasets.json").write_bytes(_line(json.dumps({"mnist": notes}).encode()) + b"\n")
    with bounded():
        store = Store(place)
        for key, read in store.records().items():
            assert key == read["key"]
        store.dataset("mnist")
        submission.draw(store, runs=2, seed=0)


# --- .npz files ---------------------------------------------------------------------------------

shapes = st.lists(st.sampled_from([0, 1, 2, 12, 12, 28, 10**6, 10**13, 2**63, -1]), max_size=5)
kinds = st.sampled_from(["|u1", "|u1", "<f8", "|O", "|b1", "<U9", "|V3", "<M8[s]", "<c16", "|S0"])


def npy(shape: list[int], kind: str, body: bytes) -> bytes:
    """An array in NumPy's format that claims a type and a shape, whatever it holds."""
    said = {"descr": kind, "fortran_order": False, "shape": tuple(shape)}
    head = f"{said!r}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + body


good_arrays = small_arrays(train=12, test=3, side=2, classes=2)


def stored(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


members = st.one_of(
    st.builds(npy, shapes, kinds, st.binary(max_size=99)),
    st.builds(npy, st.just([12]), kinds, st.binary(min_size=12, max_size=99)),
    st.builds(npy, st.just([2**30]), st.just("|u1"), st.just(bytes(99))),
    st.sampled_from([*map(stored, good_arrays.values()), stored(np.float64("nan"))]),
    st.sampled_from([stored(np.full(12, np.nan)), stored(np.array([{}, 1, None]))]),
    st.binary(max_size=40),
    mutated(stored(good_arrays["x_train"])),
    mutated(stored(good_arrays["y_test"])),
)
named = st.one_of(st.sampled_from(splits.NAMES), junk.map(lambda name: f"x{name}"))
packings = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A zip of the four arrays with a few of them replaced, left out, or there twice."""
    content = {name: stored(array) for name, array in good_arrays.items()}
    content |= draw(st.dictionaries(named, members, max_size=2))
    for name in draw(st.lists(st.sampled_from(splits.NAMES), max_size=1)):
        del content[name]
    twice = draw(st.lists(st.tuples(named, members), max_size=1))
    out, suffix = io.BytesIO(), draw(st.sampled_from([".npy", ".npy", ".npy", ""]))
    with zipfile.ZipFile(out, "w", draw(packings)) as packed:
        for name, data in [*content.items(), *twice]:
            packed.writestr(name + suffix, data)
    return out.getvalue()


files = st.one_of(*[archives()] * 4, archives().flatmap(mutated), members, st.binary(max_size=60))


@cases(120)
@given(content=files)
@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:overflow", "ignore:invalid value")
def test_any_images_are_read_or_refused(content: bytes, place: Path) -> None:
    (place / "own.npz").write_bytes(content)
    with bounded():
        info, images = splits.load("own.npz", fallback=False, project=place)
        assert info.described()["train"] == len(images.x_train)
