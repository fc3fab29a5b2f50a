"""Keys name results: every field counts, however the spec was written down."""

from dataclasses import fields, replace
from typing import Any

import pytest

from reportgen.config import Initializer
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec, framework_versions

NORMAL = Initializer.of("RandomNormal", stddev=0.5)
SPEC = RunSpec(
    "digest",
    (Layer(8, "relu", NORMAL), Layer(10, "softmax", NORMAL)),
    seed=0,
    steps=10,
    probes=(Probe("validation", (1, 2)),),
)
# A further value for every field of every part: one that is missing here fails the test below.
OTHERS: dict[type, dict[str, Any]] = {
    Initializer: {"name": "TruncatedNormal", "parameters": (("stddev", 0.25),)},
    Layer: {
        "units": 9, "activation": "tanh", "kernel": Initializer("Ones"),
        "bias": Initializer("Ones"), "normalization": "layer", "residual": True,
    },
    Optimizer: {"name": "sgd", "learning_rate": 0.1, "epsilon": 1e-3},
    Probe: {"name": "signal", "steps": (1, 3)},
    RunSpec: {
        "dataset": "other", "layers": SPEC.layers[:1], "seed": 1, "steps": 11, "batch_size": 32,
        "optimizer": Optimizer("sgd"), "shared_initializer": True, "standardized": True,
        "probes": (),
    },
}  # fmt: skip


def within(part: Any) -> RunSpec:
    """The spec with one of its parts replaced."""
    first, last = SPEC.layers
    if isinstance(part, Initializer):
        part = replace(first, kernel=part)
    if isinstance(part, Layer):
        return replace(SPEC, layers=(part, last))
    if isinstance(part, Optimizer):
        return replace(SPEC, optimizer=part)
    return part if isinstance(part, RunSpec) else replace(SPEC, probes=(part,))


PARTS = [NORMAL, SPEC.layers[0], SPEC.optimizer, SPEC.probes[0], SPEC]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_every_field_of_a_spec_and_its_parts_counts(part: Any) -> None:
    assert within(part) == SPEC
    others = OTHERS[type(part)]
    changed = {f.name: within(replace(part, **{f.name: others[f.name]})) for f in fields(part)}
    assert len({SPEC.key, *(spec.key for spec in changed.values())}) == len(changed) + 1


def test_the_order_of_layers_and_probes_counts() -> None:
    assert replace(SPEC, layers=SPEC.layers[::-1]).key != SPEC.key
    two = (Probe("summary"), *SPEC.probes)
    assert replace(SPEC, probes=two).key != replace(SPEC, probes=two[::-1]).key


def test_specs_that_are_equal_have_one_key_whether_written_with_1_or_1_0() -> None:
    whole = replace(SPEC, optimizer=Optimizer("sgd", learning_rate=1))
    decimal = replace(SPEC, optimizer=Optimizer("sgd", learning_rate=1.0))
    assert whole == decimal
    assert whole.key == decimal.key


def test_runs_of_one_network_and_batch_size_share_their_shape() -> None:
    """Else a worker would compile what it has compiled."""
    same = [
        replace(SPEC, seed=5, steps=3),
        replace(SPEC, layers=tuple(replace(x, kernel=Initializer("Ones")) for x in SPEC.layers)),
        replace(SPEC, optimizer=Optimizer(learning_rate=0.5, epsilon=1e-3)),
        replace(SPEC, shared_initializer=True, probes=()),
    ]
    assert {spec.shape for spec in same} == {SPEC.shape}
    other = [
        replace(SPEC, batch_size=32),
        replace(SPEC, standardized=True),
        replace(SPEC, optimizer=Optimizer("sgd")),
        replace(SPEC, layers=(replace(SPEC.layers[0], activation="tanh"), SPEC.layers[1])),
    ]
    assert SPEC.shape not in {spec.shape for spec in other}


def test_the_frameworks_versions_are_those_installed() -> None:
    import keras
    import tensorflow as tf

    assert framework_versions() == {"keras": keras.__version__, "tensorflow": tf.__version__}
