"""The proposed figures: each is there, says what it is, and a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstroke import data
from penstroke.errors import LimitsError
from penstroke.safety import Figures, parse_figures
from penstroke.safety.figures import UNITS

TEXT = (Path(data.__file__).parent / "figures.toml").read_text(encoding="utf-8")


def test_the_figures_of_the_design(figures: Figures) -> None:
    assert (figures.deep_from_um, figures.deep_rate_min_dhz) == (1000, 800)
    assert (figures.run_max_s, figures.rest_s, figures.zone_time_factor) == (600, 120, 3)
    assert (figures.depth_window_extra_um, figures.depth_window_ms) == (50, 20)
    assert (figures.rate_window_percent, figures.rate_ramp_ms) == (10, 300)
    assert (figures.glide_mm_per_s, figures.head_width_mm) == (20, 8)
    assert (figures.density_min_per_cm2, figures.density_max_per_cm2) == (250, 300)


def test_each_says_its_standing_and_why(figures: Figures) -> None:
    assert {figure.name for figure in figures.listed} == set(UNITS)
    for figure in figures.listed:
        assert figure.status in ("proposed", "sourced")
        assert len(figure.why) > 20
        assert getattr(figures, figure.name) == figure.value


@pytest.mark.parametrize("name", list(UNITS))
@pytest.mark.req("S-01")
def test_a_missing_figure_refuses(name: str) -> None:
    with pytest.raises(LimitsError, match=name) as caught:
        parse_figures(TEXT.replace(f"[{name}]", f"[{name}_x]"))
    assert caught.value.code == "limits-invalid"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value = 1000", "value = 0"),
        ("value = 1000", "value = -1000"),
        ("value = 1000", "value = 1000.0"),
        ("value = 1000", "value = nan"),
        ("value = 1000", "value = true"),
        ("value = 1000", 'value = "1000"'),
        ('unit = "um"', 'unit = "mm"'),
        ('status = "proposed"', 'status = "approved"'),
        ('why = "deep', 'reason = "deep'),
        ('why = "deep', 'why = " "\nx = "deep'),
        ("value = 250", "value = 400"),
        ("[deep_from_um]", "[deep_from_um"),
        ("[deep_from_um]", "[extra]\nvalue = 1\n[deep_from_um]"),
        ("[deep_from_um]", "deep_from_um = 1000\n[other]"),
    ],
)
def test_a_wrong_figure_refuses(old: str, new: str) -> None:
    with pytest.raises(LimitsError) as caught:
        parse_figures(TEXT.replace(old, new, 1))
    assert caught.value.code == "limits-invalid"
