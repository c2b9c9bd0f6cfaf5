# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks of this folder share: the files of a checkout, what is known not to pass yet, and
how a check ends."""
import os
import pathlib
import sys

SOURCES = (".h", ".cpp", ".c")
# Why a check cannot be made here.
SKIPPED = 77
KNOWN = "tests/lint/known.txt"


def files(root, *suffixes):
    """The files of a checkout as paths from `root` on, sorted; with these suffixes, or all. Leaves
    out what .gitignore names."""
    found = []
    for folder, folders, names in os.walk(root):
        here = pathlib.Path(folder).relative_to(root)
        top = here == pathlib.Path(".")
        folders[:] = [each for each in folders
                      if each == ".ci" or not (each.startswith(".") or each == "__pycache__" or
                                               top and each.startswith(("build", "_")))]
        found += [here / name for name in names if not suffixes or name.endswith(suffixes)]
    return sorted(found)


class Known:
    """The lines of `known.txt` for one check: a place that does not pass yet, and how bad it may
    be. They are there to vanish: one that is not needed any more is a finding, too."""

    def __init__(self, root, check):
        self.allowed = {}
        self.check = check
        file = root / KNOWN
        for line in file.read_text().splitlines() if file.exists() else []:
            words = line.partition("#")[0].split()
            if words and words[0] == check:
                self.allowed[words[1]] = int(words[2])

    def compare(self, found, limit=0):
        """Findings for `found`, which says how bad each place is: more than `limit` is wrong."""
        for place, count in sorted(found.items()):
            allowed = self.allowed.get(place, limit)
            if count > max(allowed, limit):
                yield f"{place}: {count}, more than {allowed}"
        for place in sorted(self.allowed):
            if found.get(place, 0) <= limit:
                yield f"{KNOWN}: {self.check} {place}: not needed any more (remove the line)"


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def done(findings, summary):
    """Ends a check: with its findings, or else the one line that says what was looked at."""
    print("\n".join(findings) or summary)
    sys.exit(bool(findings))


def run(check):
    """Makes the check of the checkout that the command line names, by default the one that holds
    this file. `check(root)` returns its findings and that line."""
    here = pathlib.Path(__file__).resolve().parents[2]
    done(*check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here))
