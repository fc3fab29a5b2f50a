"""The bibliography: pandoc reads references.bib, citeproc words it; we only link.

Labels are citeproc's (Chicago author-date, which tells 2020a from 2020b) with a comma before the
year. What pandoc said is kept beside the pages, since asking it costs half a second.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reportgen.errors import InputError, ReportgenError
from reportgen.publish import pandoc
from reportgen.publish.files import once

_LABEL = r'data-cites="([^"]+)">\((.+?)\)</span>'
_ENTRY = r'<div id="ref-([^"]+)" class="csl-entry"[^>]*>\n(.*?)\n</div>'


@dataclass(frozen=True)
class Citations:
    """Every entry of the .bib: key -> (authors, year), and key -> its HTML, in the list's order."""

    labels: Mapping[str, tuple[str, str]]
    entries: Mapping[str, str]


def load(bibliography: Path, cache: Path) -> Citations:
    """Read a .bib file (none: no entries), by pandoc or from what `cache` keeps of the same file.

    Raises:
        InputError: pandoc cannot read the file.
    """
    if not bibliography.is_file():
        return Citations({}, {})
    return once(cache, lambda: _ask_pandoc(bibliography), of=bibliography.read_bytes())


def _ask_pandoc(bibliography: Path) -> Citations:
    try:
        items = json.loads(pandoc.convert("--from=bibtex", "--to=csljson", str(bibliography))[0])
        cited = "\n\n".join(f"[@{{{item['id']}}}]" for item in items)
        options = ["--from=markdown", "--to=html", "--citeproc", "--wrap=none"]
        html, _ = pandoc.convert(*options, f"--bibliography={bibliography}", text=cited)
    except ReportgenError as error:
        raise InputError(
            f"{bibliography.name} cannot be read: {error}",
            hint=f"mend the entry in {bibliography.parent.name}/{bibliography.name}",
        ) from error
    urls = {item["id"]: item.get("URL", "") for item in items}
    labels = {}
    for key, label in re.findall(_LABEL, html):
        author, _, year = label.rpartition(" ")
        labels[key] = (author.rstrip(","), year)
    entries = {}
    for key, body in re.findall(_ENTRY, html, re.S):
        # Citeproc drops the address of an entry that has a DOI; arXiv's is worth a link of its own.
        arxiv = re.search(r"arxiv\.org/abs/(.+)", urls.get(key, "") if "doi.org" in body else "")
        more = f' <a href="https://arxiv.org/abs/{arxiv[1]}">arXiv:{arxiv[1]}</a>.' if arxiv else ""
        entries[key] = re.sub(r">https?://([^<]+)</a>", r">\1</a>", body) + more
    return Citations(labels, entries)
