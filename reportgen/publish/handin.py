"""What is handed in: each file made from docs/; where one fails, the others still come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.errors import ReportgenError
from reportgen.publish import exports, notebook, submission
from reportgen.publish.book import Evidence

FILES = {
    "pdf": "report.pdf",
    "docx": "report.docx",
    "html": "report.html",
    "notebook": "report.ipynb",
    "submission": "submission.zip",  # last: it holds others
}
DOCUMENTS = {"pdf": exports.pdf, "docx": exports.docx, "html": exports.page}


@dataclass
class Exported:
    """What was written, what to know of it, and what failed."""

    written: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def export(
    project: Path,
    wanted: Sequence[str],
    *,
    evidence: Evidence,
    context: Mapping[str, Any],
    execute: bool = False,
) -> Exported:
    """Write the files wanted (names of `FILES`; none means all of them) into build/.

    Raises:
        InputError: With every fault of every page; then nothing is written.
    """
    docs, build, done = project / "docs", project / "build", Exported()
    document = exports.compose(docs, build, evidence=evidence, context=context)

    def write(name: str, path: Path) -> list[str]:
        if name in DOCUMENTS:
            return DOCUMENTS[name](document, path)
        if name == "notebook":
            cells = exports.compose(
                docs, build, evidence=evidence, context=context,
                macros=notebook.NotebookMacros, extra=[notebook.WORK],
            )  # fmt: skip
            return notebook.notebook(cells, path, execute=execute)
        return submission.pack(project, path, context, title=document.title)

    chosen = set(wanted or FILES)
    chosen |= {"pdf", "notebook"} if "submission" in chosen else set()
    for name in [name for name in FILES if name in chosen]:
        path = build / FILES[name]
        try:
            done.warnings += [f"{path.name}: {warning}" for warning in write(name, path)]
            done.written.append(path)
        except (ReportgenError, OSError) as error:
            hint = getattr(error, "hint", "")
            done.failures.append(f"{path.name}: {error}" + (f" ({hint})" if hint else ""))
    return done
