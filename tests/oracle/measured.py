"""The errors that the tests measured against oracles, for docs/parts.md.

    BRAINFN_MEASURED=measured.jsonl python -m pytest
    python tests/oracle/measured.py measured.jsonl

Rows of one test, part, quantity and oracle become one, with the largest error.
"""

import argparse
import json
from pathlib import Path


def collected(rows):
    """One row for each comparison, sorted by part."""
    best = {}
    for row in rows:
        key = (tuple(row["parts"]), row["against"], row["what"], row["unit"], row["test"])
        if key not in best or row["error"] > best[key]["error"]:
            best[key] = row
    return [best[key] for key in sorted(best)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("measured", type=Path, help="the file that BRAINFN_MEASURED named")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    rows = collected(json.loads(line) for line in args.measured.read_text().splitlines())
    for row in rows:
        row["error"], row["bound"] = (float(f"{row[k]:.3g}") for k in ("error", "bound"))
    lines = ",\n".join(json.dumps(row) for row in rows)
    args.output.write_text(f'{{"script": "{Path(__file__).name}", "rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
