"""Lengths and rates: read from text, taken as exact numbers, shown to people.

Inside, a depth is whole micrometres (`_um`) and a rate is tenths of a hertz (`_dhz`). Nothing here rounds a
depth: a wish is carried as an exact ratio of integers until it has been judged as it was asked.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from penstroke.safety.verdict import Reason, Refusal

BEYOND = 10_000
"""A number this large (either sign, mm or Hz) is past every limit and is not looked at more closely."""

_BEYOND_DIGITS = 4
"""The decimal exponent of `BEYOND`: a Decimal's exponent is read without computing its value."""

_MICROMETRES_FROM_MM = 10
"""From this many millimetres on a wish was probably meant in micrometres: no pen reaches 10 mm."""

_RPM_FROM_HZ = 1000
"""From this many hertz on a wish was probably meant in strokes a minute (pens run at 1,500 to 9,000 rpm)."""

_FINEST_EXPONENT = -30
"""Decimals with more places than this are not looked at: turning them into a ratio could take all memory."""

_NUMBER = re.compile(r"(0|[1-9][0-9]*)(?:([.,])([0-9]+))?", re.ASCII)
_PLAIN_MM = re.compile(r"(0|[1-9][0-9]?)(?:\.([0-9]{1,3}))?", re.ASCII)
_LONGEST_TEXT = 32


@dataclass(frozen=True, slots=True)
class Wish:
    """A finite number exactly as asked: `num / den` (den > 0) in its unit, and how to show it."""

    num: int
    den: int
    text: str
    value: float | None
    """For machines to read; None where a float would mislead (beyond the range looked at)."""

    beyond: bool = False
    """True where the number is so large or so small that it is only known to be past every limit."""

    @property
    def positive(self) -> bool:
        return self.num > 0

    def at_most(self, limit: int, scale: int) -> bool:
        """Whether the wish is <= `limit / scale`, compared exactly."""
        return not (self.beyond and self.num > 0) and self.num * scale <= limit * self.den

    def at_least(self, limit: int, scale: int) -> bool:
        """Whether the wish is >= `limit / scale`, compared exactly."""
        return not (self.beyond and self.num < 0) and self.num * scale >= limit * self.den


def exact(wish: object) -> Wish | None:
    """The wish as an exact number, or None where it is not one. Never raises.

    Only `int`, `float` and `Decimal` themselves are numbers here: not bool, not text, not a subclass (a NumPy
    scalar, an enum) whose own methods could answer differently each time. A float counts as its shortest
    decimal text, so 0.3 is three tenths.
    """
    kind = type(wish)
    if kind is int:
        return _from_int(wish)  # type: ignore[arg-type]
    if kind is float:
        return _from_float(wish)  # type: ignore[arg-type]
    if kind is Decimal:
        return _from_decimal(wish)  # type: ignore[arg-type]
    return None


def _beyond(negative: bool) -> Wish:
    sign = -1 if negative else 1
    text = f"at most -{BEYOND}" if negative else f"at least {BEYOND}"
    return Wish(sign * BEYOND, 1, text, None, beyond=True)


def _from_int(number: int) -> Wish:
    # Compared before it is turned into text: Python refuses to print integers of more than 4,300 digits.
    if not -BEYOND < number < BEYOND:
        return _beyond(number < 0)
    return Wish(number, 1, f"{number}", float(number))


def _from_float(number: float) -> Wish | None:
    if not math.isfinite(number):
        return None
    if not -BEYOND < number < BEYOND:
        return _beyond(number < 0)
    num, den = Decimal(repr(number)).as_integer_ratio()
    return Wish(num, den, repr(number), number)


def _from_decimal(number: Decimal) -> Wish | None:
    if not number.is_finite():
        return None
    if number and number.adjusted() >= _BEYOND_DIGITS:
        return _beyond(number.is_signed())
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FINEST_EXPONENT:
        return None
    num, den = number.as_integer_ratio()
    return Wish(num, den, f"{number:f}", num / den)


def mm(depth_um: int) -> str:
    """Micrometres as people read them, in millimetres: `0.30`, or `0.325` where it takes three places."""
    whole, rest = divmod(abs(depth_um), 1000)
    sign = "-" if depth_um < 0 else ""
    return f"{sign}{whole}.{rest // 10:02d}" if rest % 10 == 0 else f"{sign}{whole}.{rest:03d}"


def no_number(code: str, what: str, unit: str, given: object) -> Reason:
    """The reason that refuses a thing which is not a number at all."""
    shown = {float: "not a finite number", bool: "true or false", str: "text"}.get(type(given))
    # The name of a type is all that is shown: a stranger's object may raise when it is printed.
    message = f"a {what} in {unit} is needed, and what was given is {shown or type(given).__name__}"
    return Reason(code, message, f"give the {what} as a number of {unit}")


def wish_mm(wish: Wish) -> str:
    """A wished depth as people read it, never shortened into another number."""
    scaled, rest = divmod(wish.num * 1000, wish.den)
    return wish.text if rest or wish.beyond else mm(scaled)


def hz(rate_dhz: int) -> str:
    """Tenths of a hertz as people read them: `110.0`."""
    return f"{rate_dhz // 10}.{rate_dhz % 10}"


def mm_from_um(depth_um: int) -> Decimal:
    """The same depth in millimetres, exactly."""
    return Decimal(depth_um).scaleb(-3)


def um_from_plain_mm(text: str) -> int | None:
    """Micrometres from a table's `0.30` (a point, at most three places), or None where it is not that."""
    match = _PLAIN_MM.fullmatch(text)
    if match is None:
        return None
    return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))


def unit_hint_mm(wish: Wish) -> str:
    """What to say when a depth looks as if it was meant in micrometres; empty where it does not."""
    if wish.den == 1 and wish.num >= _MICROMETRES_FROM_MM and not wish.beyond:
        return f"depth is in millimetres: {wish.num} µm would be {mm(wish.num)} mm"
    if wish.at_least(_MICROMETRES_FROM_MM, 1):
        return "depth is in millimetres, not micrometres"
    return ""


def unit_hint_hz(wish: Wish) -> str:
    """What to say when a rate looks as if it was meant in strokes a minute; empty where it does not."""
    if not wish.at_least(_RPM_FROM_HZ, 1):
        return ""
    if wish.beyond:
        return "rate is in hertz (strokes a second), not in strokes a minute"
    as_dhz = (wish.num * 10 + wish.den * 30) // (wish.den * 60)
    return f"rate is in hertz (strokes a second): {wish.text} rpm would be {hz(as_dhz)} Hz"


def depth_um_from_text(text: object) -> int | Refusal:
    """Whole micrometres from a depth in millimetres as a person writes it: `0.3` or `0,3`. Never raises.

    No sign, no unit, no exponent, no thousands separator, no leading zero (`05`); finer than a micrometre is
    refused. Whether so deep is allowed is not decided here.
    """
    number = _decimal_from_text(text, code="depth-invalid", what="depth", unit="mm", example="0.3")
    if isinstance(number, Refusal):
        return number
    wish = _from_decimal(number)
    if wish is None or (wish.num * 1000) % wish.den:
        return _not_a_number(text, "depth-invalid", "depth", "mm", "is finer than a micrometre", "0.3")
    if wish.beyond:
        return _not_a_number(text, "depth-invalid", "depth", "mm", "is no depth a pen could have", "0.3")
    return wish.num * 1000 // wish.den


def rate_hz_from_text(text: object) -> Decimal | Refusal:
    """A rate in hertz as a person writes it: `110`, `116.7` or `116,7`; rules as for depths. Never raises."""
    return _decimal_from_text(text, code="rate-invalid", what="rate", unit="Hz", example="110")


def _decimal_from_text(text: object, *, code: str, what: str, unit: str, example: str) -> Decimal | Refusal:
    if type(text) is not str:
        return _not_a_number(text, code, what, unit, "is not text", example)
    plain = text.strip()
    problem = _problem_in(plain, unit)
    if problem:
        return _not_a_number(plain, code, what, unit, problem, example)
    return Decimal(plain.replace(",", "."))


def _problem_in(plain: str, unit: str) -> str:
    """Why this text is not a plain number, in words that complete "<text> ..."; empty where it is one."""
    if not plain:
        return "is blank"
    if len(plain) > _LONGEST_TEXT:
        return "is too long for a number"
    match = _NUMBER.fullmatch(plain)
    if match is not None:
        thousands = match[2] == "," and len(match[3]) == 3 and match[1] != "0"
        return "may be meant as thousands" if thousands else ""
    if plain.startswith(("-", "+")):
        return "has a sign"
    if re.fullmatch(r"0[0-9]+([.,][0-9]+)?", plain, re.ASCII):
        return "has a leading zero (a point may be missing)"
    if re.fullmatch(r"[0-9.,]+\s*(mm|um|µm|μm|hz|rpm)", plain, re.ASCII | re.IGNORECASE):
        return f"carries a unit; {unit} is understood"
    if re.fullmatch(r"[0-9.,]+e[+-]?[0-9]+", plain, re.ASCII | re.IGNORECASE):
        return "has an exponent"
    if plain.count(".") + plain.count(",") > 1 and re.fullmatch(r"[0-9.,]+", plain, re.ASCII):
        return "has more than one decimal sign"
    return "is not a number"


def _not_a_number(text: object, code: str, what: str, unit: str, problem: str, example: str) -> Refusal:
    shown = repr(text[:_LONGEST_TEXT]) if type(text) is str else f"a {type(text).__name__}"
    message = f"{shown} {problem}, so it was not taken as a {what} in {unit}"
    return Refusal((Reason(code=code, message=message, hint=f"write it in {unit} like {example}"),))
