"""The pen as a witness of the record."""

from __future__ import annotations

import pytest

from penstroke.errors import Refused
from penstroke.pen import Pen
from penstroke.status import KeptWitness

DIGEST = "00112233445566778899aabbccddeeff0123456789abcdef" + "fe" * 8


@pytest.mark.req("S-15", "R-15.4")
def test_a_pen_remembers_what_it_was_told(pen: Pen) -> None:
    assert pen.witness() is None
    told = KeptWitness(store=2**64 - 1, number=4711, digest=DIGEST)
    pen.keep_witness(told)
    assert pen.witness() == told


@pytest.mark.req("S-15", "R-15.5")
def test_a_record_that_was_cut_off_is_not_witnessed_anew(pen: Pen) -> None:
    pen.keep_witness(KeptWitness(5, 100, DIGEST))
    with pytest.raises(Refused, match="it remembers entry 100 of this record") as refused:
        pen.keep_witness(KeptWitness(5, 99, DIGEST))
    assert refused.value.code == "witness-older"
