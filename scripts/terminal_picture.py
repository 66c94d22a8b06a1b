"""Draws a terminal that shows a real run, as an SVG that plays: `terminal_picture.py FILE.svg`.

The run is recorded from a pseudo-terminal, so live lines and their redrawing are what people see. The
simulated pen runs on real time; the picture is sped up. It fetches no fonts and no scripts.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
COLUMNS, ROWS = 130, 30
COMMANDS = (
    ("penstroke zones periorbital", 0),
    ("penstroke set --zone periorbital --side right --depth 2.0", 3),
    (
        "penstroke treat examples/demo.yaml --patient P-17 --operator 'Ben Example' "
        "--roster examples/roster.toml --answers examples/demo_answers.yaml",
        0,
    ),
)
"""What is typed, and the exit code that it must end with."""
SPEED = 4.0
"""How much faster than the run the picture plays."""
FRAME_S = 0.25
"""Least time between two pictures: the live line changes more often than anybody can read."""
HOLD_S = 6.0
"""How long the last picture stays before it all begins again."""

CELL_W, CELL_H, PAD = 8.4, 18, 14


class Screen:
    """The lines of a terminal that knows newline, carriage return and nothing else; colour is not used."""

    def __init__(self) -> None:
        self.lines = [""]
        self.column = 0

    def write(self, text: str) -> None:
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
        for char in text:
            if char == "\n":
                self.lines.append("")
                self.column = 0
            elif char == "\r":
                self.column = 0
            else:
                line = self.lines[-1].ljust(self.column)
                self.lines[-1] = line[: self.column] + char + line[self.column + 1 :]
                self.column += 1

    def shown(self) -> tuple[str, ...]:
        return tuple(line.rstrip()[:COLUMNS] for line in self.lines[-ROWS:])


@contextmanager
def simulated_pen(folder: Path) -> Iterator[str]:
    """A served pen; its port."""
    pen = subprocess.Popen(
        [BIN / "penstroke-sim", "serve", "--pty", "--seed", "7", "--journal", folder / "pen.jsonl"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(pen.stdout.readline() if pen.stdout else "")["port"]
    finally:
        pen.terminate()
        pen.wait()


def record(command: str, exit_code: int, port: str, folder: Path) -> Iterator[tuple[float, str]]:
    """Seconds since the start and what the command printed then, from a pseudo-terminal of our size."""
    program, *arguments = shlex.split(command)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "PENSTROKE_PORT": port}
    process = subprocess.Popen(
        [BIN / program, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        cwd=folder,
    )
    os.close(theirs)
    began = time.monotonic()
    try:
        while select.select([ours], [], [], 120)[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # the last process on the other side has gone
                break
            if not data:
                break
            yield time.monotonic() - began, data.decode(errors="replace")
    finally:
        os.close(ours)
        if process.wait() != exit_code:
            raise SystemExit(f"{command} ended with {process.returncode}, not {exit_code}")


def pictures(folder: Path) -> list[tuple[float, tuple[str, ...]]]:
    """When each picture is shown, seconds of the picture's own time, and its lines."""
    found: list[tuple[float, tuple[str, ...]]] = []
    screen = Screen()
    now = 0.0
    with simulated_pen(folder) as port:
        for command, exit_code in COMMANDS:
            screen.write(f"$ {command}\n")
            found.append((now, screen.shown()))
            now += 1.0
            began = now
            for at_s, text in record(command, exit_code, port, folder):
                screen.write(text)
                now = began + at_s / SPEED
                if now - found[-1][0] >= FRAME_S:
                    found.append((now, screen.shown()))
            found.append((now, screen.shown()))
            now += 2.0
    return found


def svg(frames: list[tuple[float, tuple[str, ...]]]) -> str:
    """The pictures as one SVG; each line is drawn once for as long as it stays as it is."""
    total_s = frames[-1][0] + HOLD_S
    width, height = round(COLUMNS * CELL_W + 2 * PAD), ROWS * CELL_H + 2 * PAD + 10
    spans: list[tuple[int, str, float, float]] = []
    for row in range(ROWS):
        since, text = 0.0, ""
        for at_s, lines in [*frames, (total_s, ())]:
            here = lines[row] if row < len(lines) else ""
            if here != text or at_s == total_s:
                if text:
                    spans.append((row, text, since, at_s))
                since, text = at_s, here
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="A plan treated on a simulated pen, in a terminal">',
        "<style>text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d8dee9;"
        "white-space:pre}.h{visibility:hidden}.c{fill:#8fd18f}.r{fill:#f0a0a0}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b2028"/>',
    ]
    for row, text, since, until in spans:
        kind = "c" if text.startswith("$ ") else "r" if text.startswith("refused") else ""
        # Shown from `since` to `until`. Where nothing is animated, the last picture is what stands there.
        kind += " h" if until < total_s else ""
        begin, end = since / total_s, until / total_s
        values, times = ["hidden", "visible"], [0.0, begin]
        if until < total_s:
            values.append("hidden")
            times.append(end)
        body.append(
            f'<text x="{PAD}" y="{PAD + (row + 1) * CELL_H}" xml:space="preserve" class="{kind}">'
            f"{escape(text)}"
            f'<animate attributeName="visibility" values="{";".join(values)}" '
            f'keyTimes="{";".join(f"{t:.4f}" for t in times)}" dur="{total_s:.2f}s" calcMode="discrete" '
            'repeatCount="indefinite"/></text>'
        )
    return "\n".join([*body, "</svg>"]) + "\n"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        target.write_text(svg(pictures(folder)), encoding="utf-8")
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
