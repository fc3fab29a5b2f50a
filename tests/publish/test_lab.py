"""The laboratory: its arithmetic against NumPy and `analysis.theory`, its address, its controls."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from publish.browsing import Visit

from reportgen.analysis.theory import ACTIVATIONS, MeanField, initializer_variance

pytestmark = pytest.mark.browser
STATE = {"activation": "relu", "init": "he", "scale": 1, "depth": 5, "width": 32, "seed": 1}
RUN = """(state) => {
  const { signals, errors, h, delta, deviation } = lab.run(state), { depth, width: n } = state
  const matrix = (values, columns) =>
    Array.from({ length: n }, (_, i) => Array.from(values.slice(i * columns, (i + 1) * columns)))
  const layers = Array.from({ length: depth }, (_, l) => l + 1)
  return {
    deviation,
    weights: layers.map((l) => matrix(lab.unit(state.seed, l), n)),
    signals: [0, ...layers].map((l) => [matrix(h[l], lab.BATCH), signals[l].square]),
    errors: layers.map((l) => [matrix(delta[l], lab.BATCH), errors[l].square]),
    counted: [...signals, ...errors].map((layer) => layer?.bins.reduce((a, b) => a + b)),
  }
}"""


@pytest.fixture(scope="module")
def lab(browser: Any, folder: Path) -> Iterator[Any]:
    """A page for the tests that only compute."""
    with Visit(browser) as visit:
        visit.page.goto(f"file://{folder}/try-it.html")
        yield visit.page
        assert visit.troubles == []


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    with Visit(browser, viewport={"width": 1280, "height": 900}) as visit:
        yield visit
        assert visit.troubles == []


def enter(visit: Visit, folder: Path, fragment: str = "") -> Any:
    visit.page.goto(f"file://{folder}/try-it.html{fragment}")
    visit.page.wait_for_selector("#lab figcaption strong")
    return visit.page


def await_verdicts(page: Any, forward: str, backward: str) -> None:
    """Until the page at rest tells these, to the eye and to a screen reader."""
    page.wait_for_function(
        """([forward, backward]) => {
          const texts = (what) =>
            [...document.querySelectorAll(`#lab ${what}`)].map((it) => it.textContent).join()
          return texts(".lab__title strong") === `${forward},${backward}`
            && texts(".lab__unseen") === `forward: ${forward}.,backward: ${backward}.`
        }""",
        arg=[forward, backward],
        timeout=5000,
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_network_runs_as_in_numpy(lab: Any, activation: str) -> None:
    net = lab.evaluate(RUN, STATE | {"activation": activation, "init": "normal", "scale": 1.3})
    assert net["deviation"] == pytest.approx(1.3 / 32**0.5)
    function, derivative = ACTIVATIONS[activation]
    weights = [net["deviation"] * np.array(W) for W in net["weights"]]
    h, zs = np.array(net["signals"][0][0]), []
    assert np.mean(h**2) == pytest.approx(1)
    for W, (values, square) in zip(weights, net["signals"][1:], strict=True):
        zs.append(W @ h)
        h = function(zs[-1])
        np.testing.assert_allclose(values, h, rtol=1e-5, atol=1e-6)
        assert square == pytest.approx(np.mean(h**2), rel=1e-5)
    delta = np.array(net["errors"][-1][0])
    assert np.mean(delta**2) == pytest.approx(1)
    for below in range(len(weights) - 2, -1, -1):
        delta = derivative(zs[below]) * (weights[below + 1].T @ delta)
        values, square = net["errors"][below]
        np.testing.assert_allclose(values, delta, rtol=1e-5, atol=1e-6)
        assert square == pytest.approx(np.mean(delta**2), rel=1e-5)
    assert set(net["counted"]) == {32 * 16, None}  # no gradient is drawn for the input


# Where signals have exploded, scipy misses its own tolerance of 1e-10, not the one asked here.
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [1 / 32, 0.8, 2**0.5, 4, 32])
def test_its_theory_is_that_of_the_report(lab: Any, activation: str, scale: float) -> None:
    state = STATE | {"activation": activation, "init": "normal", "scale": scale}
    told = lab.evaluate("(state) => lab.theory(state)", state)
    net = MeanField(activation, sigma_w2=scale**2)
    q = net.depth_profile(scale**2, 5)  # of z, layers 1 .. 6
    np.testing.assert_allclose(told["signals"], [1, *(q[1:] / scale**2)], rtol=1e-4)
    chi = [net.chi(float(it)) for it in q[:4]]
    errors = np.cumprod([1, *reversed(chi)])[::-1]
    np.testing.assert_allclose(told["errors"][1:], errors, rtol=1e-4)


@pytest.mark.parametrize(
    ("init", "keras", "parameters"),
    [
        ("zeros", "RandomNormal", {"stddev": 0}),
        ("glorot", "GlorotNormal", {}),
        ("he", "HeNormal", {}),
        ("lecun", "LecunNormal", {}),
        ("pytorch", "VarianceScaling", {"scale": 1 / 3}),
    ],
)
def test_its_variances_are_those_of_the_report(
    lab: Any, init: str, keras: str, parameters: dict[str, float]
) -> None:
    told = lab.evaluate("(state) => lab.variance(state)", STATE | {"init": init, "width": 96})
    assert told == pytest.approx(initializer_variance(keras, 96, 96, **parameters))


def test_a_wide_network_follows_its_theory_and_draws_are_apart(lab: Any) -> None:
    state = STATE | {"activation": "tanh", "init": "normal", "scale": 1.5, "width": 256}
    net = lab.evaluate(RUN, state)
    told = lab.evaluate("(state) => lab.theory(state)", state)
    np.testing.assert_allclose([it[1] for it in net["signals"]], told["signals"], rtol=0.1)
    np.testing.assert_allclose([it[1] for it in net["errors"]], told["errors"][1:], rtol=0.2)
    first, second = (np.ravel(W) for W in net["weights"][:2])
    assert abs(np.mean(first)) < 0.02
    assert np.std(first) == pytest.approx(1, abs=0.02)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert not np.array_equal(lab.evaluate(RUN, state | {"seed": 2})["weights"][0], net["weights"])


def test_what_is_kept_from_the_last_run_is_what_a_new_one_would_give(lab: Any) -> None:
    fresh = [lab.evaluate(RUN, STATE | {"seed": 7})["errors"]]
    for changed in ({"depth": 9}, {"depth": 3}, {"activation": "tanh"}, {"width": 64}, {"seed": 8}):
        lab.evaluate(RUN, STATE | {"seed": 7} | changed)
        fresh.append(lab.evaluate(RUN, STATE | {"seed": 7})["errors"])
    assert all(it == fresh[0] for it in fresh)


def test_the_verdict_follows_the_numbers(visit: Visit, folder: Path) -> None:
    expected = {
        "activation=relu&init=he&width=256": ("stable", "stable"),
        "activation=relu&init=pytorch": ("vanishing", "vanishing"),
        "activation=tanh&init=normal&scale=2": ("stable", "exploding"),
        "activation=linear&init=he": ("exploding", "exploding"),
        "activation=relu&init=zeros": ("silent", "silent"),
        "activation=tanh&init=lecun&width=256": ("fading", "fading"),
    }
    for fragment, verdicts in expected.items():
        await_verdicts(enter(visit, folder, "#" + fragment), *verdicts)


def test_the_address_sets_the_controls_and_rubbish_sets_the_defaults(
    visit: Visit, folder: Path
) -> None:
    def controls() -> list[str]:
        return [page.input_value(f"[name={name}]{kind}") for name, kind in names]

    names = [("activation", ":checked"), ("init", ":checked"), ("depth", ""), ("width", "")]
    page = enter(visit, folder, "#activation=tanh&init=lecun&depth=7&width=64&seed=3")
    assert controls() == ["tanh", "lecun", "7", "64"]
    assert "7 tanh layers of 64 units, LeCun, draw 3." in page.inner_text("figcaption").replace(
        "\n", " "
    )
    page = enter(visit, folder, "#activation=constructor&init=%00&depth=deep&width=&seed=NaN")
    page.reload()
    page.wait_for_selector("#lab figcaption strong")
    assert controls() == ["relu", "he", "30", "128"]
    page = enter(visit, folder, "#depth=1e9&width=-5&scale=Infinity&init=normal")
    page.reload()
    page.wait_for_selector("#lab figcaption strong")
    assert controls() == ["relu", "normal", "50", "16"]
    assert page.input_value("[name=scale]") == "5"


def test_controls_set_the_address_and_the_browser_goes_back(visit: Visit, folder: Path) -> None:
    page = enter(visit, folder)
    assert page.url.endswith("try-it.html")  # nothing was changed
    page.click("text=SELU")
    page.click("text=LeCun")
    page.click("text=Draw anew")
    page.wait_for_url("**/try-it.html#activation=selu&init=lecun&depth=30&width=128&seed=2")
    page.click("#what-to-try-first ~ p a >> text=a sixth of it")
    await_verdicts(page, "vanishing", "vanishing")
    assert page.input_value("[name=init]:checked") == "pytorch"
    page.go_back()
    await_verdicts(page, "stable", "growing")
    assert page.input_value("[name=activation]:checked") == "selu"


def test_a_late_frame_never_tells_the_old_network_by_the_new_settings(
    visit: Visit, folder: Path
) -> None:
    page = enter(visit, folder, "#depth=5")
    page.evaluate("""() => {
      const soon = requestAnimationFrame
      window.requestAnimationFrame = (draw) => setTimeout(() => soon(draw), 600)
      location.hash = "#depth=6"
      setTimeout(() => (location.hash = "#depth=40"), 650)  // while the text of 6 still waits
    }""")
    page.wait_for_function(
        "document.querySelector('#lab figcaption').textContent.includes('40 ReLU')", timeout=5000
    )
    assert page.url.endswith("#depth=40")
    assert page.input_value("[name=depth]") == "40"


def test_the_keyboard_moves_a_slider_and_the_verdict_changes(visit: Visit, folder: Path) -> None:
    page = enter(visit, folder)
    await_verdicts(page, "stable", "stable")
    page.focus("[name=depth]")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.name") == "scale"
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    await_verdicts(page, "vanishing", "vanishing")
    assert page.input_value("[name=init]:checked") == "normal"  # from He's scale on
    assert page.get_attribute("[name=scale]", "aria-valuetext") == "0.707"
    page.focus("[name=activation]:checked")
    page.keyboard.press("ArrowRight")
    assert page.input_value("[name=activation]:checked") == "tanh"


def test_what_is_drawn_is_also_told(visit: Visit, folder: Path) -> None:
    page = enter(visit, folder, "#init=pytorch&depth=12")
    label = page.get_attribute(".lab__panel--forward svg", "aria-label")
    assert label.startswith("forward, vanishing: ")
    assert re.search(r"layer 12 is \S+ × 10⁻\S+ times the input’s", label.replace("\u202f", " "))
    page.click("summary")
    rows = page.locator("#lab tbody tr")
    assert rows.count() == 13
    cells = rows.nth(2).locator("td").all_inner_texts()
    assert cells[0] == "2"
    assert float(cells[2]) == pytest.approx(1 / 36, rel=0.01)
    assert rows.nth(0).locator("td").all_inner_texts() == ["input", "1", "1", "", ""]


def test_its_inks_follow_the_palette(browser: Any, folder: Path) -> None:
    with Visit(browser, color_scheme="dark") as visit:
        page = enter(visit, folder)
        ink = "getComputedStyle(document.querySelector('#lab .theory')).stroke"
        assert page.evaluate(ink) == "rgb(217, 219, 221)"
        page.emulate_media(media="print")
        assert page.evaluate(ink) == "rgb(34, 38, 43)"
        assert not page.locator("#lab form").is_visible()
        assert page.locator("#lab svg >> nth=0").is_visible()


@pytest.mark.parametrize("fragment", ["#init=zeros", "#activation=tanh&init=normal&scale=32"])
def test_a_phone_does_not_scroll_it_sideways(browser: Any, folder: Path, fragment: str) -> None:
    with Visit(browser, viewport={"width": 390, "height": 844}) as visit:
        page = enter(visit, folder, fragment)
        page.click("summary")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_javascript_a_sentence_stands_in_its_place(browser: Any, folder: Path) -> None:
    with Visit(browser, java_script_enabled=False) as visit:
        visit.page.goto(f"file://{folder}/try-it.html")
        assert "needs JavaScript" in visit.page.inner_text("#lab")
