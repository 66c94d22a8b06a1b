"""Every example in the README and the documentation is executed: what is shown is what happens.

- `console` blocks run in a real shell, in a folder that holds `examples/`; output, where shown, is compared
  (`...` stands for anything). An exit code other than 0 must be shown with `echo $?`. A command ending in `&`
  is a server: its first line is awaited.
- `python` blocks run one after the other, in one namespace for each document.
- `yaml`, `toml` and `python` blocks that begin with `# file: NAME` are written to that file instead.
- `sh` blocks name `make` targets and how to get here; the targets must exist.
- `text`, `json`, `c` and `mermaid` blocks are pictures.
"""

from __future__ import annotations

import doctest
import os
import re
import selectors
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sybil import Document, Example, Region
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "firmware_protocol/README.md")
    ),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LANGUAGES = {"console", "python", "yaml", "toml", "json", "sh", "c", "text", "mermaid"}

# Far above what any shown command takes; reached only when one hangs.
LONGEST_S = 60


@dataclass(slots=True)
class Step:
    """One command of a console block, and the output shown under it ("" where none is shown)."""

    command: str
    shown: str


def steps(block: str) -> list[Step]:
    """Splits a console block: `$ ` starts a command, `> ` continues it, all else is its output."""
    found: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], ""))
        elif line.startswith("> ") and found and found[-1].command.endswith("\\"):
            found[-1].command += "\n" + line[2:]
        elif found:
            found[-1].shown += line.rstrip() + "\n"
        elif line.strip():
            raise ValueError(f"a console block starts with its output: {line!r}")
    return found


def difference(shown: str, printed: str) -> str:
    """ "" when `printed` is what is shown, with `...` for anything."""
    printed = "".join(line.rstrip() + "\n" for line in printed.splitlines())
    shown = shown.rstrip("\n") + "\n"
    if doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS):
        return ""
    return f"shown:\n{shown}\nprinted:\n{printed}"


@dataclass(slots=True)
class Terminal:
    """Runs the steps of one document, in one folder that holds `examples/`."""

    folder: Path
    environment: dict[str, str]
    exit_code: int = 0
    explained: bool = True
    """Whether the last exit code other than 0 was shown by `echo $?`."""
    background: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, step: Step) -> str:
        """Runs one step; returns what is wrong with it, "" when it is true."""
        if step.command == "echo $?":
            self.explained = True
            return difference(step.shown, f"{self.exit_code}\n")
        if not self.explained:
            return f"the command before ended with {self.exit_code}, which is not shown by `echo $?`"
        if step.command.startswith("export "):
            name, _, value = shlex.split(step.command)[1].partition("=")
            self.environment[name] = value
            return ""
        if step.command.endswith("&"):
            return self._start(step)
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        self.exit_code, self.explained = done.returncode, done.returncode == 0
        if step.shown:
            return difference(step.shown, done.stdout)
        return ""

    def _start(self, step: Step) -> str:
        """Starts a server and waits for its first line, which says that it is ready."""
        server = subprocess.Popen(
            ["bash", "-c", "exec " + step.command.removesuffix("&")],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.background.append(server)
        assert server.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(server.stdout, selectors.EVENT_READ)
            if not selector.select(timeout=LONGEST_S):
                return f"{step.command}: not ready after {LONGEST_S} s"
        first = server.stdout.readline()
        return difference(step.shown, first) if step.shown else ""

    def close(self) -> None:
        for server in self.background:
            server.terminate()
            try:
                server.wait(timeout=LONGEST_S)
            finally:
                server.kill()
                server.wait()
                assert server.stdout is not None
                server.stdout.close()


@pytest.fixture
def terminal(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal in an empty folder with `examples/` in it and the project's commands on its path."""
    folder = own_home / "tour"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(folder)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    opened = Terminal(folder, {**os.environ, "PATH": path, "COLUMNS": "100"})
    yield opened
    opened.close()


def write_file(terminal: Terminal, example: Example) -> None:
    named = re.match(r"# file: (\S+)\n", example.parsed)
    if named:
        (terminal.folder / named[1]).write_text(example.parsed)


def run_commands(terminal: Terminal, example: Example) -> str | None:
    for step in steps(example.parsed):
        wrong = terminal.run(step)
        if wrong:
            return f"$ {step.command}\n{wrong}"
    return None if terminal.explained else f"exit code {terminal.exit_code} is not shown by `echo $?`"


def python_blocks(terminal: Terminal, document: Document) -> Iterator[Region]:
    for region in PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS)(document):
        if isinstance(region.parsed, str) and region.parsed.startswith("# file: "):
            region.evaluator = lambda example: write_file(terminal, example)
        yield region


def check_targets(example: Example) -> str | None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", example.parsed, re.M):
        if not re.search(rf"^{target}:", makefile, re.M):
            return f"there is no `make {target}`"
    return None


def play(page: Path, terminal: Terminal) -> int:
    """Runs every example of a page in order; returns how many there were."""
    document = Document.parse(
        str(page),
        CodeBlockParser("console", lambda example: run_commands(terminal, example)),
        CodeBlockParser("yaml", lambda example: write_file(terminal, example)),
        CodeBlockParser("toml", lambda example: write_file(terminal, example)),
        CodeBlockParser("sh", check_targets),
        lambda document: python_blocks(terminal, document),
        SkipParser(),
    )
    count = 0
    for example in document.examples():
        example.evaluate()
        count += 1
    return count


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_example_is_true(page: Path, terminal: Terminal) -> None:
    play(page, terminal)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_has_a_known_language(page: Path) -> None:
    """A block of an unknown language would be one that nothing executes."""
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.M)[::2]
    assert {fence.strip() for fence in fences} <= LANGUAGES


def anchors(page: Path) -> set[str]:
    """The anchors a forge makes from headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        destination = (page.parent / path).resolve() if path else page
        assert destination.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(destination), f"{target}: no such heading"


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").rglob("*.md"):
        name = str(page.relative_to(ROOT / "docs"))
        assert name == "index.md" or f"({name})" in index, f"docs/index.md does not name {name}"


FALSE_PAGES = {
    "other output": "```console\n$ echo one\ntwo\n```",
    "unexplained exit code": "```console\n$ false\n```",
    "wrong exit code": "```console\n$ false\n$ echo $?\n3\n```",
    "silent server": "```console\n$ true &\nready\n```",
    "false python": "```python\nassert 1 == 2\n```",
    "no such target": "```sh\nmake coffee\n```",
}


@pytest.mark.parametrize("case", FALSE_PAGES)
def test_a_false_example_is_found(tmp_path: Path, terminal: Terminal, case: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(FALSE_PAGES[case] + "\n")
    with pytest.raises((AssertionError, SybilFailure)):
        play(page, terminal)


def test_true_examples_pass(tmp_path: Path, terminal: Terminal) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```yaml\n# file: a.yaml\nb: 1\n```\n"
        "```console\n$ export GREETING=hello\n$ cat a.yaml; echo $GREETING\n# file: ...\nb: 1\nhello\n"
        "$ exit 3\n$ echo $?\n3\n```\n"
        "```python\nassert 1 + 1 == 2\n```\n"
    )
    assert play(page, terminal) == 3
