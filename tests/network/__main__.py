"""``make e2e-network``: real peers in network namespaces, in houses 60 ms from each other at lines of 10/5 Mbit/s.

Without a mode: who meets whom through NATs. ``ARGS=finding``: how long it takes from a pasted link to the first frame.
``ARGS=household``: how much comes into a house from outside where several watch. The last line is one JSON object.
"""

import argparse
import json
import sys

from tests.network import finding, household, meeting
from tests.network.namespaces import what_is_missing

MODES = {"meeting": meeting, "household": household, "finding": finding}


def main() -> None:
    """Parse the options, look, and print."""
    parser = argparse.ArgumentParser(prog="make e2e-network", description=__doc__)
    modes = parser.add_subparsers(title="modes", required=True)
    for name, mode in MODES.items():
        of_mode = modes.add_parser(name, description=mode.__doc__)
        mode.add_options(of_mode)
        of_mode.set_defaults(run=mode.run)
    words = sys.argv[1:]
    is_plain = not words or words[0] not in {*MODES, "-h", "--help"}
    options = parser.parse_args(["meeting", *words] if is_plain else words)
    if reason := what_is_missing():
        raise SystemExit(f"There is no test bed here: {reason}")
    print(json.dumps(options.run(options)))


if __name__ == "__main__":
    main()
