import math

import pytest

from reportgen.publish import numbers


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0.97661, 4, "0.9766"),
        (48000, 0, "48,000"),
        (-0.00049, 4, "−0.0005"),
        (-0.00001, 4, "0.0000"),
        (None, 2, "—"),
        (math.nan, 2, "—"),
        (-math.inf, 2, "—"),
    ],
)
def test_fixed_rounds_groups_and_never_writes_minus_zero(
    value: object, places: int, text: str
) -> None:
    assert numbers.fixed(value, places) == text


def test_signed_writes_a_plus_above_zero_only() -> None:
    assert [numbers.signed(v, 3) for v in (0.002, -0.002, 0.0001, 0)] == [
        "+0.002",
        "−0.002",
        "0.000",
        "0.000",
    ]


def test_percent_and_words_read_as_prose() -> None:
    assert numbers.percent(0.97661, 1) == "97.7%"
    assert [numbers.words(v) for v in (0, 10, 20, 21, 2.5)] == ["zero", "ten", "twenty", "21", "2"]


def test_scientific_notation_is_latex() -> None:
    assert numbers.scientific(2.13e-15) == r"2.1 \times 10^{-15}"


def test_numbers_in_a_text_are_set_as_in_a_sentence() -> None:
    text = "-0.5 of 1.1e-07, ±1e-16 and -2e-05 in layer-2, seeds 0-9, 1234567 of 0.10"
    assert numbers.typeset(text) == (
        r"−0.5 of $1.1 \times 10^{-7}$, ±$10^{-16}$ and −$2 \times 10^{-5}$ in layer-2, seeds 0-9, "
        "1234567 of 0.10"
    )


def test_an_interval_has_the_places_its_width_justifies_and_signs_across_zero() -> None:
    assert numbers.interval(0.00023, -0.00058, 0.00104) == "+0.0002 [−0.0006,\u00a0+0.0010]"
    assert numbers.interval(0.5012, 0.4951, 0.5073) == "0.501 [0.495,\u00a00.507]"
    assert numbers.interval(None, None, None) == "—"
    assert numbers.interval(0.1135, None, None) == "0.1135"
    assert numbers.interval(0.1135, 0.1135, 0.1135) == "0.1135 [0.1135,\u00a00.1135]"
    assert numbers.interval(2.1e-15, None, None) == "2.1\u00a0×\u00a010⁻¹⁵"
    assert numbers.interval(61.0, 55, 66.0) == "61 [55,\u00a066]"
    assert numbers.interval(0, 0, 0) == "0.000 [0.000,\u00a00.000]"


def test_a_tables_power_of_ten_is_written_as_one() -> None:
    assert numbers.powers("4.6e-05") == "4.6\u00a0×\u00a010⁻⁵"
    assert [numbers.powers(cell) for cell in ("0.94", "–", "He-1")] == ["0.94", "–", "He-1"]


def test_seeds_are_drawn_together_into_ranges() -> None:
    assert numbers.ranges([0, 1, 2, 3, 7, 9, 10]) == "0–3, 7, 9–10"


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="'ten'"):
        numbers.fixed("ten")
