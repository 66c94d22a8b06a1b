"""Which lines changed since a base, as git tells it; and a sample for where there is no base."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from mutants.sources import ROOT, Mutant

_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def base_of(tree: Path = ROOT) -> str:
    """Where this work left `origin/main`, or the commit before this one; empty where there is neither."""
    here = _git(tree, "rev-parse", "--verify", "HEAD")
    left = _git(tree, "merge-base", "HEAD", "origin/main")
    if left and left != here:
        return left
    return _git(tree, "rev-parse", "--verify", "HEAD~1")


def changed_lines(base: str, modules: Iterable[str], tree: Path = ROOT) -> dict[str, set[int]]:
    """By module, the numbers of its lines that are new or other than at the base, committed or not."""
    changed: dict[str, set[int]] = {}
    for module in modules:
        for line in _git(tree, "diff", "--unified=0", base, "--", module).splitlines():
            if hunk := _HUNK.match(line):
                first, count = int(hunk[1]), int(hunk[2] or 1)
                changed.setdefault(module, set()).update(range(first, first + count))
    return changed


def sample(mutants: Iterable[Mutant], count: int, seed: str) -> list[Mutant]:
    """So many of them, the same for the same seed, in the order of modules and lines."""

    def rank(mutant: Mutant) -> bytes:
        return hashlib.sha256(repr((seed, mutant.key, mutant.number)).encode()).digest()

    chosen = sorted(mutants, key=rank)[:count]
    return sorted(chosen, key=lambda mutant: (mutant.module, mutant.number))


def _git(tree: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=tree, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git on this machine
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
