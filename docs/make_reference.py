"""Write docs/matrix_calculus.md, the matrix calculus reference.

    python docs/make_reference.py            derive, verify and write the page
    python docs/make_reference.py --check    derive and verify, and compare with the page that is there

The identities are the tables in docs/reference/tables. A row that does not hold stops the build: the exit
status is 1, and the row and its fault are printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reference.page import page
from reference.row import Group
from reference.tables import GROUPS
from reference.verify import Derived, derive, verify

PAGE = Path(__file__).with_name("matrix_calculus.md")


def build(groups: Sequence[Group] = GROUPS, report: bool = True) -> tuple[str, list[str]]:
    """The page, and a line for every row that does not hold."""
    built: list[tuple[Group, list[Derived]]] = []
    faults: list[str] = []
    for number, group in enumerate(groups, 1):
        began = time.perf_counter()
        derived: list[Derived] = []
        for row in group.rows:
            try:
                derived.append(derive(row))
                verify(derived[-1])
            except Exception as error:  # whatever a row raises is its fault
                faults.append(f"{group.title}: {row.identity}: {type(error).__name__}: {error}")
        built.append((group, derived))
        if report:
            taken = time.perf_counter() - began
            print(f"{number:3}/{len(groups)}  {group.title:<48} {len(group.rows):3} rows  {taken:4.1f} s", flush=True)
    return page(built), faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    chosen = parser.parse_args()
    text, faults = build()
    if faults:
        sys.exit("\n".join([*faults, f"{len(faults)} rows do not hold: the page is not written"]))
    rows = sum(len(group.rows) for group in GROUPS)
    if not chosen.check:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{rows} identities verified, {PAGE.name} written")
    elif PAGE.read_text(encoding="utf-8") == text:
        print(f"{rows} identities verified, {PAGE.name} is up to date")
    else:
        sys.exit(f"{PAGE.name} is not what the tables give: run python docs/make_reference.py")


if __name__ == "__main__":
    main()
