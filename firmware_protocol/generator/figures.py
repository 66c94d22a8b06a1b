"""Every figure of time and size in one list, those that the code holds taken from the code."""

from __future__ import annotations

from typing import Final

from penstroke_protocol import device_link, frames, host_link, messages
from penstroke_protocol.link import MS


def _each(waits_ms: tuple[int, ...]) -> str:
    return f"{len(waits_ms)} × {waits_ms[0]} ms"


_MEASURED: Final = "measured"
_PROPOSED: Final = "proposed"
_CHOSEN: Final = "chosen"

FIGURES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("longest frame", f"{frames.MAX_FRAME_BYTES} bytes", "R-2.4", _CHOSEN),
    ("longest motion header and payload", f"{frames.MAX_MOTION_BYTES} bytes", "R-2.4", _MEASURED),
    ("answer to a request, at the latest", "10 ms", "R-3.5", _CHOSEN),
    ("repeats of HELLO", _each(host_link.HELLO_RETRY_MS), "R-6.5", _CHOSEN),
    ("waits of a request", f"{', '.join(map(str, host_link.RETRY_MS))} ms", "R-6.5", _CHOSEN),
    ("repeats of STOP", _each(host_link.STOP_RETRY_MS), "R-7.7", _CHOSEN),
    ("requests remembered", str(device_link.MEMORY), "R-6.2", _CHOSEN),
    ("lease, at most", f"{messages.LEASE_MS} ms", "R-11.1", _MEASURED),
    ("age of a nonce, at most", f"{host_link.NONCE_AGE_NS // MS} ms", "R-11.2", _MEASURED),
    ("time between beats", "50 ms", "R-11.4", _MEASURED),
    ("telemetry, unless asked otherwise", "20 Hz", "R-14.1", _CHOSEN),
    ("time between repeats of an event", f"{device_link.EVENT_REPEAT_NS // MS} ms", "R-14.4", _CHOSEN),
    ("events that wait", str(device_link.EVENT_QUEUE), "R-14.4", _CHOSEN),
    ("silence while needles move, at most", "250 ms", "R-17.3", _CHOSEN),
    ("readiness without a run", "10 s", "R-10.2", _PROPOSED),
    ("longest run", "600 s", "chapter 4, Start and Arm", _PROPOSED),
    ("drive cut after STOP or release", "10 ms", "R-10.9", _CHOSEN),
    ("drive cut after a trip is detected", "20 ms", "R-10.9", _CHOSEN),
    ("needles in after the drive is cut", "50 ms", "R-10.9", _CHOSEN),
    ("retraction fault after", "100 ms", "R-13.2", _PROPOSED),
    ("deep from, and slow below", "1000 µm, 80.0 Hz", "R-9.3", _PROPOSED),
    ("rate window, ramp, time", "10 %, 300 ms, 20 ms", "R-13.2", _PROPOSED),
    ("depth window, following time, time", "tolerance + 50 µm, 100 ms, 20 ms", "R-13.3", _PROPOSED),
    ("over-current", "600 mA for 10 ms", "R-13.2", _PROPOSED),
    ("over-temperature, cleared below", "43.0 °C, 40.0 °C", "R-13.2", _PROPOSED),
    ("sensor stuck after", "500 ms", "R-13.2", _PROPOSED),
    ("charge: refuses to arm below, trips below", "10 %, 3 %", "R-10.1, R-13.2", _PROPOSED),
)
"""(figure, value, rule, where it comes from)."""
