"""A small report: two experiments with figures, tables and claims of every verdict, and prose."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from reportgen.publish.pages import Rendered, render

REPO = Path(__file__).parents[2]
PROJECT_FILES = (
    "mkdocs.yml",
    "docs/assets",
    "docs/overrides",
    "docs/experiments.md",
    "docs/export",
)

FORWARD: dict[str, Any] = {
    "name": "forward",
    "title": "Forward variance",
    "question": "How does the second moment $q$ change from layer to layer?",
    "setup": r"Thirty ReLU layers of width 128, ten draws; $q_{l+1} = \frac{\sigma_w^2}{2} q_l$.",
    "values": {"slope": {"he": 0.9931, "glorot": 0.5012}, "tiny": 2.13e-15, "layers": 10},
    "figures": {
        "forward-variance": {
            "caption": "He keeps the signal's length; *Glorot* halves $q$ a layer, to $2^{-30}$.",
            "alt": "Two lines on a log scale: one level and [the other] falling | steeply.",
            "predict": "",
        },
        "angles": {
            "caption": "He keeps length, not angle.",
            "alt": "The mean cosine rises to one.",
            "predict": "",
        },
    },
    "tables": {},
    "claims": {
        "glorot-halves": {
            "sentence": "Glorot's start halves the second moment in each ReLU layer, $c = 1/2$.",
            "verdict": "supported",
            "effect": 0.5012,
            "low": 0.4951,
            "high": 0.5073,
            "n": 10,
            "evidence": "forward-variance",
            "test": "the bootstrap interval holds 1/2",
        },
    },
    "runs": {"count": 10, "seeds": list(range(10)), "seconds": 3.2},
}

ASSIGNMENT: dict[str, Any] = {
    "name": "assignment",
    "title": "The assignment's four models",
    "question": "Which start does this network train from, and which is ahead?",
    "setup": "Four initializers, ten paired seeds, ten epochs.",
    "values": {
        "arms": {
            "zero": {"accuracy": 0.1135, "loss": 2.301},
            "he": {"accuracy": 0.97661, "loss": 0.0921},
            "glorot": {"accuracy": 0.97638, "loss": 0.0934},
        },
        "difference": {"he_glorot": -0.00023},
    },
    "figures": {
        "curves": {
            "caption": "Three of the four learn; zero's accuracy never leaves the class prior.",
            "alt": "Accuracy over ten epochs for four initializers.",
            "predict": "",
        },
    },
    "tables": {
        "accuracy": {
            "caption": "Test accuracy: mean over seeds with a 95 % interval.",
            "columns": ["Initializer", "Accuracy", "95 % interval", "Loss", "n"],
            "align": ["l", "r", "r", "r", "r"],
            "rows": [
                ["`Zeros`", "0.1135", "0.1135 to 0.1135", "2.301", "10"],
                ["`RandomNormal(0, 1)`", "0.930", "0.929 to 0.931", "1.6", "10"],
                ["`GlorotNormal`", "0.9764", "0.9753 to 0.9775", "0.0934", "10"],
                ["`HeNormal`", "0.97661", "0.9755 to 0.9777", "—", "10"],
            ],
        },
    },
    "claims": {
        "he-glorot": {
            "sentence": "He and Glorot end within two tenths of a percentage point.",
            "verdict": "inconclusive",
            "effect": 0.0002,
            "low": -0.0006,
            "high": 0.001,
            "n": 10,
            "evidence": "accuracy",
            "test": "paired by seed; the interval inside ±0.002",
        },
        "zero-learns": {
            "sentence": "Nothing but the last bias moves from a zero start.",
            "verdict": "contradicted",
            "effect": None,
            "low": None,
            "high": None,
            "n": 10,
            "evidence": "curves",
            "test": "every gradient exactly zero",
        },
    },
    "runs": {"count": 40, "seeds": list(range(10)), "seconds": None},
}

CONTEXT: dict[str, Any] = {
    "config": {"seeds": 10, "epochs": 10, "batch_size": 64},
    "dataset": {
        "name": "mnist",
        "title": "MNIST",
        "train": 48000,
        "validation": 12000,
        "test": 10000,
        "classes": 10,
        "fallback": False,
    },
}

BIB = """\
@inproceedings{he2015, author={He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
 title={Delving Deep into Rectifiers}, booktitle={ICCV}, year={2015}, pages={1026--1034},
 doi={10.1109/ICCV.2015.123}, eprint={1502.01852}, archiveprefix={arXiv}}
@inproceedings{glorot2010, author={Glorot, Xavier and Bengio, Yoshua}, booktitle={AISTATS},
 title={Understanding the difficulty of training deep feedforward neural networks}, year={2010},
 url={https://proceedings.mlr.press/v9/glorot10a.html}}
@article{lu2020, author={Lu, Lu and Shin, Y. and Su, Y. and Karniadakis, G. E.},
 title={Dying {ReLU} and initialization}, journal={Commun. Comput. Phys.}, volume={28}, year={2020}}
@article{lu2020b, author={Lu, Lu and Shin, Y. and Su, Y. and Karniadakis, G. E.},
 title={Another study}, journal={Commun. Comput. Phys.}, volume={29}, year={2020}}
"""

PAGES = {
    "index.md": r"""# How should the weights of a network start?

With zero in every weight the network answers one digit for every image and scores
{{ values.assignment.arms.zero.accuracy | fixed(4) }};
{{ claim("he-glorot", assumes="inconclusive") }}
The signal's path decides ({{ ref("forward-variance") }}).

{{ figure("curves") }}

{{ table("accuracy") }}
""",
    "part-1.md": r"""# Part one. Why it matters

## Why must weights start carefully?

$q_l$ is the second moment of layer $l$, and the "variance" follows from $\operatorname{Var}[w]$ by

$$
\begin{aligned}
q_{l+1} &= n\, \operatorname{Var}[w]\, \mathbb{E}\bigl[\max(0, z)^2\bigr] \\
        &= \frac{\sigma_w^2}{2}\, q_l, \qquad\text{so that always}\qquad\quad
           |q_l| * |x_*| = x_a x_b
\end{aligned}
$$

so that $\sqrt{\frac{2}{n_{\text{in}}}}$ keeps it, as {{ cite("he2015", text=true) }} showed
{{ cite("glorot2010", "lu2020") }}. A dollar is \$.
{{ claim("glorot-halves", assumes="supported") }}

| start | $|q|$ after one layer | `code $x$` |
|-------|----------------------:|------------|
| He    | {{ values.forward.slope.he | fixed(3) }} | $q = {{ values.forward.tiny | sci }}$ |

$$
\boxed{\operatorname{Var}[w] = \frac{2}{n_{\text{in}}}}
$$

## What follows at depth thirty?

{% call predict("How small is $q$ after thirty layers?") %}
About {{ values.forward.tiny | sci }}, and *not* zero.

{{ figure("forward-variance") }}
{% endcall %}

{% call note("What `sqrt` keeps, with $q$") %}
Length, **not** angle; a list inside:

- one
- two
{% endcall %}
""",
    "part-2.md": "# Part two\n\nAs {{ ref('accuracy') }} shows. {{ cite('lu2020b') }}\n",
    "part-3.md": (
        "# Part three. Experiment\n\n"
        '{{ source("publish/numbers.py", "percent") }}\n\n'
        '{{ claim("zero-learns", assumes="supported") }}\n'
    ),
    # The laboratory's own page; the pages here lack the headings that it leads to.
    "try-it.md": re.sub(r"\.md#[\w-]+", ".md", (REPO / "docs" / "try-it.md").read_text("utf-8")),
    "errors.md": "# Errors in the wild\n\nNone here.\n",
    "claims.md": "---\nhide: [toc]\n---\n# Claims\n\n{{ claims_table() }}\n",
    "methods.md": "# M\n\n{{ dataset.train | fixed }} images, {{ config.epochs | words }} times.\n",
    "references.md": "# References\n\n{{ bibliography() }}\n",
}


class Report:
    """A project on disk: docs/, mkdocs.yml and build/evidence."""

    def __init__(self, root: Path) -> None:
        self.root, self.docs, self.pages = root, root / "docs", root / "build" / "pages"
        self.evidence = {"assignment": ASSIGNMENT, "forward": FORWARD}
        self.context = CONTEXT

    def page(self, name: str, text: str) -> None:
        (self.docs / name).write_text(text, encoding="utf-8")

    def render(self) -> Rendered:
        return render(self.docs, self.pages, evidence=self.evidence, context=self.context)

    def text(self, name: str) -> str:
        return (self.pages / name).read_text(encoding="utf-8")


def write_evidence(root: Path) -> None:
    """Evidence as the experiments leave it, with small drawings by matplotlib."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "fixture"
    for evidence in (ASSIGNMENT, FORWARD):
        folder = root / "build" / "evidence" / str(evidence["name"])
        folder.mkdir(parents=True)
        (folder / "evidence.json").write_text(json.dumps(evidence))
        for id in [*evidence["figures"], *evidence["tables"]]:
            (folder / f"{id}.csv").write_text("layer,q\n1,0.99\n2,0.98\n")
        for id in evidence["figures"]:
            for scheme, ink, colors in (
                ("light", "#333333", ("#0072b2", "#d55e00")),
                ("dark", "#d5d5d5", ("#56b4e9", "#e69f00")),
            ):
                figure = Figure(figsize=(6.4, 3.4), layout="constrained")
                axes = figure.subplots()
                axes.semilogy(range(31), [1.0] * 31, color=colors[0], label="He")
                axes.semilogy(
                    range(31), [2.0**-i for i in range(31)], color=colors[1], label="Glorot"
                )
                axes.set_xlabel("layer", color=ink)
                axes.set_ylabel("second moment", color=ink)
                axes.tick_params(colors=ink)
                axes.spines[["top", "right"]].set_visible(False)
                axes.spines[["left", "bottom"]].set_color(ink)
                axes.set_facecolor("none")
                figure.patch.set_alpha(0)
                axes.legend(frameon=False, labelcolor=ink)
                figure.savefig(folder / f"{id}.{scheme}.svg", metadata={"Date": None})


def write_project(root: Path) -> Report:
    docs = root / "docs"
    docs.mkdir(parents=True)
    for name in PROJECT_FILES:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, root / name)
        else:
            shutil.copyfile(source, root / name)
    for name, text in PAGES.items():
        (docs / name).write_text(text, encoding="utf-8")
    (docs / "references.bib").write_text(BIB)
    return Report(root)
