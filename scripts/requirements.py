"""Checks that each requirement listed in `crates/proto/tests/requirements.toml` has its tests, or says why it has none.

    scripts/requirements.py          one line of counts, or every fault and status 1

How the list is written stands at its top. A test is looked for in the sources: in Rust a function behind `#[test]`,
in Python one whose name begins with `test_`.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    # It comes with the tools of `make check`.
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "crates/proto/tests/requirements.toml"
# Where a test without a folder is.
SUITE = Path("crates/proto/tests/rfc9113")

SECTION = re.compile(r"(\d+(?:\.\d+)*) \S.*")
RULE = re.compile(
    r"(?:client|server|endpoint|sender|receiver|intermediary|extension|cache|deployment) "
    r"(?:MUST|SHOULD)(?: NOT)? \S.*"
)
# One that is ignored is none.
RUST_TEST = re.compile(r"^ *#\[test\]\n(?: *(?:#\[(?!ignore)|//).*\n)* *fn (\w+)\(", re.MULTILINE)
PYTHON_TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)


@cache
def tests_of(path: Path) -> frozenset[str]:
    """The names of the tests in a source; none where there is no such file."""
    if not path.is_file():
        return frozenset()
    pattern = PYTHON_TEST if path.suffix == ".py" else RUST_TEST
    return frozenset(pattern.findall(path.read_text(encoding="utf-8")))


def exists(test: str) -> bool:
    """Whether `module::name` of the suite, or `folder/file::name` of the repository, is a test."""
    file, _, name = test.partition("::")
    path = ROOT / file if "/" in file else ROOT / SUITE / f"{file}.rs"
    return name in tests_of(path)


def faults_of(entry: object) -> list[str]:
    """What is wrong with the right side of a requirement."""
    match entry:
        case {"test": [*tests], **rest} if tests and not rest:
            return [f"there is no test {test!r}" for test in tests if not exists(str(test))]
        case {"reason": str(reason), **rest} if reason.strip() and not rest:
            return []
        case _:
            return ["it needs `test`, a list of names, or else `reason`, and nothing beside"]


def numbers(section: str) -> list[int]:
    return [int(part) for part in section.split(" ")[0].split(".")]


def check(requirements: dict[str, Any]) -> list[str]:
    """Every fault of the list, a line each."""
    faults = []
    before = [0]
    for section, rules in requirements.items():
        if not SECTION.fullmatch(section) or not isinstance(rules, dict):
            faults.append(f"[{section!r}] is no section with its number and name")
            continue
        if numbers(section) <= before:
            faults.append(f"[{section!r}] is out of order")
        before = numbers(section)
        for rule, entry in rules.items():
            if not RULE.fullmatch(rule):
                faults.append(f"{section}: {rule!r} does not say who MUST or SHOULD do what")
            faults += [f"{section}: {rule!r}: {fault}" for fault in faults_of(entry)]
    return faults


def main() -> int:
    requirements = tomllib.loads(LIST.read_text(encoding="utf-8"))
    if faults := check(requirements):
        print(*faults, f"{len(faults)} faults in {LIST.relative_to(ROOT)}", sep="\n")
        return 1
    entries = [entry for rules in requirements.values() for entry in rules.values()]
    tested = sum("test" in entry for entry in entries)
    print(
        f"{len(entries)} requirements of RFC 9113:"
        f" {tested} tested, {len(entries) - tested} with a reason why not"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
