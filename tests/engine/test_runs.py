import inspect
import subprocess
import sys
from dataclasses import replace

import pytest

from reportgen.config import INITIALIZERS, Initializer
from reportgen.engine import runs
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec

SPEC = RunSpec("digest", (Layer(8, "relu"), Layer(10, "softmax")), seed=0, steps=10)


def test_equal_specs_have_equal_keys() -> None:
    assert SPEC.key == RunSpec("digest", (Layer(8, "relu"), Layer(10, "softmax")), 0, 10).key


@pytest.mark.parametrize(
    "changed",
    [
        replace(SPEC, dataset="other"),
        replace(SPEC, layers=(Layer(9, "relu"), Layer(10, "softmax"))),
        replace(SPEC, layers=(Layer(8, "relu", Initializer("HeNormal")), Layer(10, "softmax"))),
        replace(SPEC, seed=1),
        replace(SPEC, steps=11),
        replace(SPEC, batch_size=32),
        replace(SPEC, optimizer=Optimizer("sgd")),
        replace(SPEC, shared_initializer=True),
        replace(SPEC, standardized=True),
        replace(SPEC, probes=(Probe("signal"),)),
    ],
)
def test_any_change_of_a_spec_changes_its_key(changed: RunSpec) -> None:
    assert changed.key != SPEC.key


def test_other_versions_have_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SPEC.key
    monkeypatch.setattr(runs, "ENGINE_VERSION", -1)
    engine = SPEC.key
    monkeypatch.setattr(runs, "framework_versions", lambda: {"keras": "0", "tensorflow": "0"})
    assert len({before, engine, SPEC.key}) == 3


def test_a_key_is_known_without_the_frameworks() -> None:
    code = (
        "import sys; from reportgen.engine.runs import *; RunSpec('d', (Layer(1),), 0, 0).key\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_table_of_initializers_is_keras_own() -> None:
    import keras

    own = {
        name: set(inspect.signature(kind).parameters) - {"seed", "input_axes", "output_axes"}
        for name, kind in vars(keras.initializers).items()
        if inspect.isclass(kind) and name[0].isupper() and not name.endswith("Initializer")
    }
    del own["STFT"]  # of signal layers, not of dense ones
    assert {name: set(parameters) for name, parameters in INITIALIZERS.items()} == own
