"""A build in which one run ends whatever process tries it: for faults.py."""

import os
import sys
from dataclasses import dataclass, fields
from typing import Any

from reportgen import cli, pipeline
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import RunSpec


@dataclass(frozen=True)
class Deadly(RunSpec):
    """What a worker does to unpickle it is to leave."""

    def __reduce__(self) -> Any:
        return (os._exit, (3,))


def main() -> None:
    """Build the project named first, its first run made deadly."""
    real = pipeline._plan

    def plan(config: Config, dataset: DatasetInfo) -> dict[str, tuple[RunSpec, str]]:
        found = real(config, dataset)
        key, (spec, experiment) = next(iter(found.items()))
        deadly = Deadly(**{it.name: getattr(spec, it.name) for it in fields(spec)})
        return found | {key: (deadly, experiment)}

    pipeline._plan = plan
    cli.main(["build", "--project", sys.argv[1]])


if __name__ == "__main__":
    main()
