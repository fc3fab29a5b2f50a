"""docs/ -> the notebook: the answer's prose, and the assignment's work as plain Keras code.

The first two parts are the site's; the third is docs/export/notebook.md, whose fences are the code.
A cell that reads shipped results is run while the notebook is written and carries what it printed
and drew; one that trains (```python train) only where that is asked for.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reportgen.errors import InputError
from reportgen.publish import exports
from reportgen.publish.book import Exhibit
from reportgen.publish.export_macros import ExportMacros
from reportgen.publish.exports import Document
from reportgen.publish.files import write_changed
from reportgen.publish.mathml import verbatim

WORK = "export/notebook.md"
_PARTS = ("part-1.md", "part-2.md", WORK)
_CELL = re.compile(r"^```python(?P<train> train)?\n(?P<code>.*?)^```$", re.M | re.S)
_IMAGE = re.compile(
    r"!\[(?P<caption>.*)\]\((?P<file>\S+)\.light\.svg\)\{#\S+ alt=\"(?P<alt>.*)\"\}"
)


class NotebookMacros(ExportMacros):
    """Markdown as Jupyter reads it: no fragments to link to, no bibliography but a list."""

    target = "notebook"
    shortened = ()

    def draw_ref(self, exhibit: Exhibit) -> str:
        return f"{exhibit}"

    def draw_claim(self, id: str) -> str:
        return str(self.book.claims[id]["sentence"])

    def draw_citation(self, keys: list[str], *, text: bool) -> str:
        labels = [self.book.citations.labels[key] for key in keys]
        if text:
            return ", ".join(f"{author} ({year})" for author, year in labels)
        return f"({'; '.join(f'{author}, {year}' for author, year in labels)})"

    def draw_bibliography(self) -> str:
        entries = self.book.citations.entries.values()
        return "\n\n" + "\n".join(f"- {entry}" for entry in entries) + "\n\n"


def notebook(document: Document, path: Path, *, execute: bool = False) -> list[str]:
    """Write the notebook of a document that was composed with `NotebookMacros`.

    Args:
        execute: Run the training cells too, and keep what they say.

    Raises:
        InputError: a cell of docs/export/notebook.md does not run.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for the training cells
    exports.drawings(document)
    made = [_markdown(f"# {document.title}\n\n{_author(document)}{document.abstract}", document)]
    space: dict[str, Any] = {"__name__": "__main__"}
    for page in _PARTS:
        for kind, text in cells(document.pages[page]):
            if kind == "markdown":
                made.append(_markdown(text, document))
            else:
                outputs = _run(text, space, path.parent) if kind == "code" or execute else []
                made.append(_cell("code", text, execution_count=None, outputs=outputs))
    made.append(_markdown(document.pages["references.md"], document))
    for index, cell in enumerate(made):  # the same words, the same names
        cell["id"] = hashlib.sha256(f"{index}{cell['source']}".encode()).hexdigest()[:12]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    write_changed(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return []


def _author(document: Document) -> str:
    """The author block, in its paragraphs."""
    author = document.author
    parts = [
        f"**{verbatim(author['name'])}**" if author["name"] else "",
        " · ".join(map(verbatim, exports.about(author))),
        *[verbatim(part) for part in author["statement"].split("\n\n") if part],
    ]
    return "".join(f"{part}\n\n" for part in parts if part)


def cells(text: str) -> Iterator[tuple[str, str]]:
    """("markdown" | "code" | "train", text) of each cell; prose begins one at every heading."""
    end = 0
    for found in [*_CELL.finditer(text), None]:
        prose = text[end : found.start() if found else None]
        for part in re.split(r"^(?=#{1,2} )", prose, flags=re.M):
            if part.strip():
                yield "markdown", part.strip()
        if found:
            yield "train" if found["train"] else "code", found["code"].strip()
            end = found.end()


def _markdown(text: str, document: Document) -> dict[str, Any]:
    """A Markdown cell; its figures are attached to it."""
    attached: dict[str, Any] = {}

    def attach(found: re.Match[str]) -> str:
        name = f"{Path(found['file']).name}.png"
        data = (document.build / f"{found['file']}.png").read_bytes()
        attached[name] = {"image/png": base64.b64encode(data).decode()}
        return f"![{found['alt']}](attachment:{name})\n\n{found['caption']}"

    text = _IMAGE.sub(attach, text)
    text = re.sub(r"^(#+ .*?) \{[#.][^}]*\}$", r"\1", text, flags=re.M)
    text = re.sub(r"^: (\*\*Table .*) \{#\S+\}$", r"\1", text, flags=re.M)
    text = re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", text)  # a notebook has no fragments
    more = {"attachments": attached} if attached else {}
    return _cell("markdown", re.sub(r"\n{3,}", "\n\n", text).strip(), **more)


def _cell(kind: str, source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source, **more}


def _run(code: str, space: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Run a cell where the notebook will lie; returns what it printed and drew."""
    import matplotlib.pyplot as plt

    printed, outputs = io.StringIO(), list[dict[str, Any]]()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        plt.switch_backend("agg")
        try:
            exec(compile(code, "docs/export/notebook.md", "exec"), space)
        except (Exception, SystemExit) as error:  # a cell that ends the process ends no export
            first = code.splitlines()[0]
            raise InputError(
                f"docs/export/notebook.md: the cell that begins {first!r} fails: {error!r}",
                hint="mend that cell",
            ) from error
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed.getvalue()})
    for number in plt.get_fignums():
        out = io.BytesIO()
        plt.figure(number).savefig(out, format="png", dpi=100, metadata={"Software": None})
        data = {"image/png": base64.b64encode(out.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    plt.close("all")
    return outputs
