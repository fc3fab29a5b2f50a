"""What a grader may be handed: records that no run left, files that unfold without end."""

import hashlib
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from reportgen.config import Initializer
from reportgen.engine.runs import Layer, RunSpec
from reportgen.engine.store import Store
from reportgen.errors import InputError
from reportgen.publish import submission

SPEC = asdict(RunSpec("d1", (Layer(3),), seed=0, steps=1))


@pytest.mark.parametrize(
    "changed",
    [
        {"spec": None}, {"spec": {"seed": 0}}, {"spec": SPEC | {"layers": []}},
        {"spec": asdict(RunSpec("d1", (Layer(3, kernel=Initializer("get")),), 0, 1))},
        {"test_accuracy": None}, {"test_accuracy": "0.9"}, {"loss": float("nan")},
    ],
)  # fmt: skip
def test_a_record_that_no_run_left_is_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    record = {"key": "a", "status": "finished", "spec": SPEC, "test_accuracy": 0.9}
    with Store(tmp_path / "right") as store:
        store.append("assignment", record, {})
    (drawn,) = submission.draw(store, runs=3, seed=0)
    assert drawn.dataset == "d1"
    raw = json.dumps(record | changed).encode()
    line = f'{{"checksum":"{hashlib.sha256(raw).hexdigest()}","record":'.encode() + raw + b"}\n"
    (tmp_path / "assignment.jsonl").write_bytes(line)
    with pytest.raises(InputError, match=r"^no run left the record a of this submission$"):
        submission.draw(Store(tmp_path), runs=3, seed=0)


def test_a_small_submission_that_unfolds_into_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "big.zip", "w") as packed:
        entry = zipfile.ZipInfo("results/assignment.jsonl")
        packed.writestr(entry, b"")
        entry.file_size = 3 * 10**9  # what the directory, written on closing, says
    with pytest.raises(InputError, match="3,000 MB"):
        submission.unpack(tmp_path / "big.zip", tmp_path)
