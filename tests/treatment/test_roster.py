"""The roster: who works here, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
from visits import ADA, BEN, ROOT, ROSTER

from penstroke.config import load_config
from penstroke.errors import AnswerError, PlanError
from penstroke.treatment.roster import load_roster, parse_roster


def test_the_example() -> None:
    roster = load_roster(ROOT / "examples" / "roster.toml")
    assert roster == ROSTER
    assert roster.names == (ADA, BEN)
    assert roster.clinicians == (ADA,)


def test_who_may_do_what() -> None:
    assert ROSTER.person("BEN EXAMPLE") == BEN
    assert ROSTER.clinician(f" {ADA} ") == ADA
    with pytest.raises(AnswerError) as wrong:
        ROSTER.clinician(BEN, "override-by")
    assert (wrong.value.code, wrong.value.facts["key"]) == ("person-unknown", "override-by")
    assert wrong.value.hint == f"there are {ADA}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it names nobody"),
        ("person = []", "it names nobody"),
        ("[[person", "not TOML"),
        ("[[people]]\nname = 'A'", "people is no key"),
        ("[[person]]\nname = 'A'", "person 1 needs exactly name and role"),
        ("[[person]]\nname = 'A'\nrole = 'boss'", "role must be clinician or operator, not 'boss'"),
        ("[[person]]\nname = ' '\nrole = 'clinician'", "name must be a name"),
        ("[[person]]\nname = 5\nrole = 'clinician'", "name must be a name"),
        ('[[person]]\nname = "a\\u0007"\nrole = "clinician"', "name must be a name"),
        ("[[person]]\nname = 'A'\nrole = 'clinician'\n[[person]]\nname = 'a'\nrole = 'operator'", "twice"),
        ("person = 5", "it names nobody"),
        ("person = [5]", "person 1 needs exactly"),
    ],
)
def test_a_roster_that_is_wrong(text: str, words: str) -> None:
    with pytest.raises(PlanError, match=words) as wrong:
        parse_roster(text)
    assert wrong.value.code == "roster-invalid"


def test_a_roster_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no roster") as wrong:
        load_roster(tmp_path / "roster.toml")
    assert "[[person]]" in wrong.value.hint
    (tmp_path / "latin.toml").write_bytes(b"[[person]]\nname = '\xe9'\n")
    (tmp_path / "large.toml").write_bytes(b"#" * 70_000)
    for name, words in (("latin.toml", "UTF-8"), ("large.toml", "too large"), ("", "director")):
        with pytest.raises(PlanError, match=words) as wrong:
            load_roster(tmp_path / name)
        assert wrong.value.code == "roster-invalid"
        assert str(tmp_path) in wrong.value.message


def test_where_the_roster_lies(tmp_path: Path) -> None:
    beside = load_config({"PENSTROKE_CONFIG": str(tmp_path / "c.toml")}, {}, with_file=False)
    assert beside["roster"] == str(tmp_path / "roster.toml")
    named = load_config({"PENSTROKE_ROSTER": "/srv/roster.toml"}, {})
    assert named["roster"] == "/srv/roster.toml"
