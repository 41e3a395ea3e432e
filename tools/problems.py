"""Print the reference of all codes of problems: ``python -m tools.problems > docs/reference/problems.md``."""

from __future__ import annotations

import sys

from indicia.web.problem_codes import as_markdown

if __name__ == "__main__":
    sys.stdout.write(as_markdown())
