"""Numbers as a sentence writes them: the filters of a page.

A value that is not finite (an arm whose runs all diverged) is written as a dash: it stops nothing.
"""

import math
import re
from collections.abc import Callable

from jinja2.runtime import Undefined

# fmt: off
_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
]
# fmt: on
DASH = "—"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is needed here, and {value!r} is none")
    return float(value) if math.isfinite(value) else None


def fixed(value: object, places: int = 0) -> str:
    """`places` decimals, thousands grouped, a true minus: 0.9766, 48,000, −0.0005."""
    number = _number(value)
    if number is None:
        return DASH
    return f"{number:z,.{places}f}".replace("-", "−")


def signed(value: object, places: int = 0) -> str:
    """As `fixed`, with a plus before what is above zero."""
    number = _number(value)
    text = fixed(number, places)
    return "+" + text if number is not None and number > 0 and text.strip("0.,") else text


def percent(value: object, places: int = 0) -> str:
    """A share as a percentage: 0.9766 is 97.7% at one place."""
    number = _number(value)
    return DASH if number is None else fixed(100 * number, places) + "%"


def scientific(value: object, places: int = 1) -> str:
    r"""LaTeX for scientific notation: `2.1 \times 10^{-3}`."""
    number = _number(value)
    if number is None:
        return rf"\text{{{DASH}}}"
    mantissa, exponent = f"{number:.{places}e}".split("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def short(value: object, digits: int = 4) -> str:
    """At most so many significant digits: 0.002, 1.3; far from one as a power of ten in LaTeX."""
    number = _number(value)
    if number is None:
        return DASH
    sign = "−" if number < 0 else ""
    mantissa, power, exponent = f"{abs(number):.{digits}g}".partition("e")
    factor = "" if mantissa == "1" else rf"{mantissa} \times "
    return sign + (f"${factor}10^{{{int(exponent)}}}$" if power else mantissa)


def typeset(text: str) -> str:
    """A text with its negative numbers and powers of ten, -0.5 and 1e-07, written by `short`."""
    number = r"(?<![\w.-])(?=-|[\d.]+e)-?\d+(?:\.\d+)?(?:e[+-]\d+)?\b"
    return re.sub(number, lambda it: short(float(it[0]), 6), text)


def words(value: object) -> str:
    """A whole number up to twenty as a word, others in digits."""
    number = _number(value)
    if number is not None and number == int(number) and 0 <= number <= 20:
        return _WORDS[int(number)]
    return fixed(number, 0)


def ranges(values: list[int]) -> str:
    """Whole numbers with runs drawn together: 0–9, 12."""
    parts: list[list[int]] = []
    for value in sorted(set(values)):
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}–{p[-1]}" for p in parts)


def interval(effect: object, low: object, high: object) -> str:
    """An effect with its interval, at the places that its width justifies; signed across zero."""
    numbers = [n for n in (_number(effect), _number(low), _number(high)) if n is not None]
    if _number(effect) is None:
        return DASH
    size = max(map(abs, numbers))
    width = numbers[-1] - numbers[1] if len(numbers) == 3 else 0
    fine = 1 - _magnitude(width) if width > 0 else 3 - _magnitude(size)
    write = signed if min(numbers[1:], default=0) < 0 else fixed
    if size and not 1e-4 <= size < 1e6:
        told = [_power(number) for number in numbers]
    else:
        told = [write(number, min(max(fine, 0), 6)) for number in numbers]
    bounds = f" [{told[1]},\u00a0{told[2]}]" if len(told) == 3 else ""
    return told[0] + bounds


def powers(cell: str) -> str:
    """A table's 4.6e-05 as 4.6 × 10⁻⁵; other cells as they are."""
    return _power(float(cell)) if re.fullmatch(r"-?[\d.]+e[+-]\d+", cell) else cell


def _magnitude(number: float) -> int:
    return math.floor(math.log10(abs(number))) if number else 0


def _power(number: float) -> str:
    mantissa, exponent = f"{number:.1e}".split("e")
    raised = str(int(exponent)).translate(_RAISED)
    return f"{mantissa.replace('-', '−')}\u00a0×\u00a010{raised}"


def passing(convert: Callable[..., str]) -> Callable[..., object]:
    """A filter that hands on what is missing, for who renders to tell it by its name."""
    return lambda value, *args: value if isinstance(value, Undefined) else convert(value, *args)


FILTERS = {of.__name__: passing(of) for of in (fixed, signed, percent, short, words)}
