"""The bibliography: pandoc reads references.bib, citeproc words it; we only link.

Labels are citeproc's (Chicago author-date, which tells 2020a from 2020b) with a comma before the
year. What pandoc said is kept beside the pages, since asking it costs half a second.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reportgen.errors import InputError
from reportgen.publish.files import write_changed

_FORMAT = "1"  # raise by hand when what is kept changes


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
    source = bibliography.read_text(encoding="utf-8")
    digest = hashlib.sha256((_FORMAT + source).encode()).hexdigest()
    kept = _kept(cache)
    if kept.get("digest") != digest:
        kept = {"digest": digest, **_ask_pandoc(source, bibliography)}
        write_changed(cache, json.dumps(kept, ensure_ascii=False, indent=1))
    labels = {key: (author, year) for key, (author, year) in kept["labels"].items()}
    return Citations(labels, kept["entries"])


def _kept(cache: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ask_pandoc(source: str, bibliography: Path) -> dict[str, dict[str, object]]:
    import pypandoc  # only here: most builds have the answer kept

    try:
        items = json.loads(pypandoc.convert_text(source, "csljson", format="bibtex"))
        cited = "\n\n".join(f"[@{{{item['id']}}}]" for item in items)
        html = pypandoc.convert_text(
            cited,
            "html",
            format="markdown",
            extra_args=["--citeproc", f"--bibliography={bibliography}", "--wrap=none"],
        )
    except RuntimeError as error:
        raise InputError(
            f"{bibliography.name} cannot be read: {str(error).strip().splitlines()[-1]}",
            hint=f"Mend the entry in {bibliography.parent.name}/{bibliography.name}.",
        ) from error
    labels = {}
    for key, label in re.findall(r'data-cites="([^"]+)">\((.+?)\)</span>', html):
        author, _, year = label.rpartition(" ")
        labels[key] = (author.rstrip(","), year)
    archive = {item["id"]: item["URL"] for item in items if item.get("DOI") and item.get("URL")}
    entries = {}
    for key, body in re.findall(
        r'<div id="ref-([^"]+)" class="csl-entry"[^>]*>\n(.*?)\n</div>', html, re.S
    ):
        name = re.sub(r"^https?://(arxiv\.org/abs/)?", lambda m: "arXiv:" if m[1] else "", url) if (
            url := archive.get(key, "")
        ) else ""
        entries[key] = body + (f' <a href="{url}">{name}</a>.' if url else "")
    return {"labels": labels, "entries": entries}
