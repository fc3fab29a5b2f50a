"""Frames of the laboratory (docs/try-it.md) while a slider moves, in Chromium; prints a table.

For each slider, at the depth and width given: the time of the page's own work in a frame (network,
theory, drawing) and the time from frame to frame, which holds layout and painting too and is
16.7 ms at best. `reportgen build` first; then `.venv/bin/python benchmarks/lab.py`.
"""

import argparse
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGE = Path(__file__).parents[1] / "build" / "site" / "try-it.html"
SWEEP = """([name, low, high]) => new Promise((done) => {
  const slider = document.querySelector(`[name=${name}]`), work = [], gaps = []
  let last
  const move = (now) => {
    if (last !== undefined) { work.push(lab.spent); gaps.push(now - last) }
    last = now
    if (work.length === 240) return done([work.slice(60), gaps.slice(60)]) // after a warm-up
    const share = (1 + Math.sin(work.length / 12)) / 2
    slider.value = low + (high - low) * share
    slider.dispatchEvent(new Event("input", { bubbles: true }))
    requestAnimationFrame(move)
  }
  requestAnimationFrame(move)
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=30)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--browser", type=Path, default=Path("/usr/bin/chromium"))
    asked = parser.parse_args()
    depth, width = asked.depth, asked.width
    sweeps = {"scale": (-1, 1.5), "depth": (depth - 10, depth), "width": (width // 2, width)}
    print("| activation | slider | work, median | 95 % | frame to frame, median | 95 % |")
    print("|---|---|---:|---:|---:|---:|")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=asked.browser, args=["--no-sandbox", "--disable-gpu"]
        )
        for activation in ("relu", "tanh", "gelu"):
            for name, (low, high) in sweeps.items():
                page = browser.new_page(viewport={"width": 1280, "height": 1000})
                page.goto(f"{PAGE.as_uri()}#activation={activation}&depth={depth}&width={width}")
                page.wait_for_selector("#lab figcaption strong")
                cells = [activation, name]
                for times in page.evaluate(SWEEP, [name, low, high]):
                    cells.append(f"{statistics.median(times):.1f} ms")
                    cells.append(f"{statistics.quantiles(times, n=20)[-1]:.1f} ms")
                print(f"| {' | '.join(cells)} |")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
