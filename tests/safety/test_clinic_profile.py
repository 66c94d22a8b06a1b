"""The clinic's profile: what it says is taken, and a wrong one is refused whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstroke import data
from penstroke.errors import LimitsError
from penstroke.safety import Allowed, Constraints, PenLimits, check_depth, parse_clinic

ZONES = data.zone_table()

GOOD = """
name = "Skin clinic, room 2"
depth_max_mm = 1.0
rate_min_hz = 90
rate_max_hz = 120.5
forbidden_zones = ["neck_front"]

[ceilings_mm]
cheek = 0.8
forehead = 0.325
"""


def test_a_good_profile() -> None:
    profile = parse_clinic(GOOD, ZONES)
    assert profile.name == "Skin clinic, room 2"
    assert dict(profile.ceilings_um) == {"cheek": 800, "forehead": 325}
    assert (profile.depth_max_um, profile.rate_min_dhz, profile.rate_max_dhz) == (1000, 900, 1205)
    assert profile.forbidden == {"neck_front"}
    assert profile.ceiling_um("cheek") == 800
    assert profile.ceiling_um("back") == 1000
    assert parse_clinic('name = "x"', ZONES).ceiling_um("back") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name"),
        ("name = ", "not TOML"),
        ("[" * 3000, "not TOML"),
        ("name = 3", "name"),
        ('name = " "', "name"),
        ('name = "x"\ndepth_max = 1.0', "depth_max is not a key"),
        ('name = "x"\ndepth_max_mm = "1.0"', "depth_max_mm"),
        ('name = "x"\ndepth_max_mm = true', "depth_max_mm"),
        ('name = "x"\ndepth_max_mm = nan', "depth_max_mm"),
        ('name = "x"\ndepth_max_mm = inf', "depth_max_mm"),
        ('name = "x"\ndepth_max_mm = 0', "above zero"),
        ('name = "x"\ndepth_max_mm = -1', "above zero"),
        ('name = "x"\ndepth_max_mm = 0.3005', "micrometre"),
        ('name = "x"\ndepth_max_mm = 1.501', "highest hard ceiling"),
        ('name = "x"\ndepth_max_mm = 1e9', "highest hard ceiling"),
        ('name = "x"\nrate_max_hz = "fast"', "rate_max_hz"),
        ('name = "x"\nrate_max_hz = 0', "rate_max_hz"),
        ('name = "x"\nrate_max_hz = 1001', "rate_max_hz"),
        ('name = "x"\nrate_max_hz = 99.99', "tenth"),
        ('name = "x"\nrate_min_hz = 120\nrate_max_hz = 90', "above rate_max_hz"),
        ('name = "x"\nforbidden_zones = "cheek"', "forbidden_zones"),
        ('name = "x"\nforbidden_zones = [8]', "forbidden_zones"),
        ('name = "x"\nforbidden_zones = ["cheeks"]', "cheeks"),
        ('name = "x"\nceilings_mm = 1.0', "ceilings_mm"),
        ('name = "x"\n[ceilings_mm]\ncheeks = 0.5', "ceilings_mm.cheeks"),
        ('name = "x"\n[ceilings_mm]\neyelid = 0.1', "forbidden anyway"),
        ('name = "x"\n[ceilings_mm]\ncheek = 1.6', "can only tighten"),
        ('name = "x"\n[ceilings_mm]\nperiorbital = 0.55', "0.50 mm, the hard ceiling of periorbital"),
        ('name = "x"\n[ceilings_mm]\ncheek = [1]', "ceilings_mm.cheek"),
        ('name = "x"\nname = "y"', "not TOML"),
    ],
)
def test_a_wrong_profile_is_refused_whole(text: str, says: str) -> None:
    with pytest.raises(LimitsError, match=says) as caught:
        parse_clinic(text, ZONES)
    assert caught.value.code == "limits-invalid"
    assert caught.value.hint


@pytest.mark.req("S-22", "S-02")
@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, len(GOOD) - 1),
    st.integers(0, 6),
    st.text(alphabet="0123456789.-=[]\"'\n abcinfnae_", max_size=4),
    st.integers(1, 40),
)
def test_a_mutated_profile_never_loosens_a_limit(start: int, cut: int, put: str, steps: int) -> None:
    text = GOOD[:start] + put + GOOD[start + cut :]
    try:
        profile = parse_clinic(text, ZONES)
    except LimitsError:
        return
    fine = PenLimits(0, 2500, 50, 50, 250, 1500, 10)
    for name in ("cheek", "forehead"):
        zone = data.zone_named(name)
        c = Constraints(
            zone=zone,
            side="left" if name == "cheek" else None,
            pen=fine,
            cartridge_length_um=2500,
            held_um=1500,
            clinic=profile,
        )
        verdict = check_depth(steps * 0.05, c)
        if isinstance(verdict, Allowed):
            assert zone is not None
            assert verdict.depth_um + 50 <= zone.ceiling_um


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "clinic.toml"
    file.write_text(GOOD, encoding="utf-8")
    assert data.clinic_profile(file).name == "Skin clinic, room 2"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LimitsError, match="cannot read"):
        data.clinic_profile(tmp_path / "missing.toml")
    with pytest.raises(LimitsError, match="cannot read"):
        data.clinic_profile(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes('name = "Hautärzte"'.encode("latin-1"))
    with pytest.raises(LimitsError, match="UTF-8"):
        data.clinic_profile(latin)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 100_000)
    with pytest.raises(LimitsError, match="too large"):
        data.clinic_profile(large)
