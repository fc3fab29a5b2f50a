"""The macros drawn for the files to hand in: Markdown as pandoc reads it.

Numbers of figures and tables are the report's own, so pandoc and typst number nothing.
"""

import re
from collections.abc import Callable

from reportgen.publish import numbers, site_macros
from reportgen.publish.book import Exhibit
from reportgen.publish.macros import Macros
from reportgen.publish.mathml import Formula

# The PDF's typeface lacks one of the site's shapes.
MARKS = site_macros.MARKS | {"contradicted": "×"}

BODY = ("index.md", "part-1.md", "part-2.md", "part-3.md")
KEPT = ("zero-autopsy", "forward-variance", "backward-gradients")


class ExportMacros(Macros):
    """Pandoc's Markdown; all pages become one document, so every link is a fragment.

    Exhibits of further experiments leave the parts for the page that lists the experiments, which
    becomes an appendix: so the answer keeps to the pages that a grader reads.
    """

    target = "document"
    shortened: tuple[str, ...] = BODY
    """The pages that these exhibits leave."""

    def figure(self, id: str) -> str:
        return "" if self._is_moved(id) else super().figure(id)

    def table(self, id: str) -> str:
        return "" if self._is_moved(id) else super().table(id)

    def _is_moved(self, id: str) -> bool:
        exhibit = self.book.exhibits.get(id)
        moved = exhibit is not None and exhibit.experiment != "assignment"
        return moved and self.book.page in self.shortened and id not in KEPT

    def draw_figure(self, figure: Exhibit) -> str:
        data = figure.data
        image = f"evidence/{figure.experiment}/{figure.id}.light.svg"
        alt = re.sub(r'["\n\\]', " ", data["alt"])
        caption = f"**{figure}.** {data['caption']}"
        return f'\n\n![{caption}]({image}){{#{figure.anchor} alt="{alt}"}}\n\n'

    def draw_table(self, table: Exhibit) -> str:
        data = table.data
        rule = [":--" if align == "l" else "--:" for align in data["align"]]
        rows = [_row(data["columns"]), _row(rule), *map(_row, table.rows)]
        caption = f": **{table}.** {data['caption']} {{#{table.anchor}}}"
        return "\n\n" + "\n".join(rows) + f"\n\n{caption}\n\n"

    def draw_ref(self, exhibit: Exhibit) -> str:
        return f"[{exhibit}](#{exhibit.anchor})".replace(" ", "\u00a0", 1)

    def draw_claim(self, id: str) -> str:
        claim = self.book.claims[id]
        return f"{claim['sentence']}^[{MARKS[claim['verdict']]}](#claim-{id})^"

    def draw_citation(self, keys: list[str], *, text: bool) -> str:
        if text:
            return ", ".join(f"@{key}" for key in keys)
        return "[" + "; ".join(f"@{key}" for key in keys) + "]"

    def note(self, title: str, *, caller: Callable[[], str]) -> str:
        lines = f"**{title}.** {caller().strip()}".splitlines()
        return "\n\n" + "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"

    def predict(self, question: str, *, caller: Callable[[], str]) -> str:
        return f"\n\n*Predict first: {question}*\n\n{caller().strip()}\n\n"

    def draw_source(self, code: str, title: str) -> str:
        return f"\n\n`{title}`:\n\n```python\n{code}\n```\n\n"

    def draw_bibliography(self) -> str:
        return "\n\n::: {#refs}\n:::\n\n"

    def draw_claims(self) -> str:
        head = [_row(["Claim", "Verdict", "Effect [95% interval]", "n"]), "|:--|:--|:--|--:|"]
        rows = [
            _row([
                claim["sentence"],
                f"[{MARKS[claim['verdict']]} {claim['verdict']}]{{#claim-{id}}}",
                numbers.interval(claim["effect"], claim["low"], claim["high"]).replace("[", r"\["),
                str(claim["n"]),
            ])
            for id, claim in self.book.claims.items()
        ]  # fmt: skip
        return "\n\n" + "\n".join([*head, *rows]) + "\n\n"

    def draw_formula(self, formula: Formula) -> str:
        latex = " ".join(formula.latex.split())
        fence = "$$" if formula.display else "$"
        return f"{formula.before}{fence}{latex}{fence}{formula.after}"

    def prose(self, text: str) -> str:
        return text


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
