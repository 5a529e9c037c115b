"""Ours and the peers, side by side in one process: `python -m benchmarks [PART ...]` writes benchmarks/RESULTS.md.

In an environment of its own, with the peers in it (benchmarks/requirements.txt says how to make it). One thread each.
With CATS_DIR, the folder of the cats' two h5 files, the cats take part. Parts not named keep what RESULTS.md says.
"""

import argparse
import os
import sys
from pathlib import Path

for key in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(key, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

from benchmarks import parts  # noqa: E402  (the threads are set first)

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = """# Results

Written by `python -m benchmarks`: medians over interleaved repetitions in one process, one thread each; ratios are the
median of the ratios within a repetition. All start from the same weights and must end at the same cost.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", choices=[*parts.PARTS, []], help=", ".join(parts.PARTS))
    parser.add_argument("--repeat", type=int, default=11, help="repetitions of each measurement (11)")
    arguments = parser.parse_args()
    texts = _known()
    for name in arguments.part or parts.PARTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        texts[name] = parts.PARTS[name](arguments.repeat).strip() + f"\n\n*{parts.machine()}*"
        print(texts[name], flush=True)
        sections = [
            f"<!-- {name} -->\n{texts[name]}" for name in dict.fromkeys([*parts.PARTS, *texts]) if name in texts
        ]
        RESULTS.write_text("\n\n".join([HEAD.strip(), *sections]) + "\n")


def _known() -> dict[str, str]:
    """The sections of RESULTS.md as it is."""
    if not RESULTS.exists():
        return {}
    pieces = RESULTS.read_text().split("<!-- ")[1:]
    return {name: text.strip() for name, text in (piece.split(" -->\n", 1) for piece in pieces)}


if __name__ == "__main__":
    main()
