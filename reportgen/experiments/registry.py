"""Finds the experiments: every file of this folder that declares an `EXPERIMENT`."""

import importlib
import pkgutil
from functools import cache

import reportgen.experiments
from reportgen.config import Config, nearest
from reportgen.errors import InputError
from reportgen.experiments.evidence import Experiment


def chosen(config: Config) -> tuple[Experiment, ...]:
    """The experiments that the configuration leaves on; InputError where it names none of them."""
    names = [experiment.name for experiment in experiments()]
    faults = [
        f"experiments.{name}: no such experiment{nearest(name, names)}"
        for name in config.experiments
        if name not in names
    ]
    if faults:
        raise InputError("\n".join(faults), hint="list them with: reportgen status")
    return tuple(e for e in experiments() if config.experiments.get(e.name) is not False)


@cache
def experiments() -> tuple[Experiment, ...]:
    """All experiments, by their number."""
    names = [module.name for module in pkgutil.iter_modules(reportgen.experiments.__path__)]
    modules = [importlib.import_module(f"reportgen.experiments.{name}") for name in names]
    found = [module.EXPERIMENT for module in modules if hasattr(module, "EXPERIMENT")]
    return tuple(sorted(found, key=lambda experiment: experiment.number))
