"""Finds the experiments: every file of this folder that declares an `EXPERIMENT`."""

import importlib
import pkgutil
from functools import cache

import reportgen.experiments
from reportgen.experiments.evidence import Experiment


@cache
def experiments() -> tuple[Experiment, ...]:
    """All experiments, by their number."""
    names = [module.name for module in pkgutil.iter_modules(reportgen.experiments.__path__)]
    modules = [importlib.import_module(f"reportgen.experiments.{name}") for name in names]
    found = [module.EXPERIMENT for module in modules if hasattr(module, "EXPERIMENT")]
    return tuple(sorted(found, key=lambda experiment: experiment.number))
