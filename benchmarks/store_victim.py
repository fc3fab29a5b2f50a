"""Appends four runs to a store and names each once it is acknowledged: for faults.py to break."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from reportgen.engine.store import Store
from reportgen.errors import InputError

RUNS: dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]] = {
    key: ({"key": key, "value": [1.5, None], "text": "µ"}, {"m": np.eye(3)} if key in "bd" else {})
    for key in "abcd"
}


def main() -> None:
    """Append what is missing; exit 2 when the store refuses."""
    try:
        with Store(Path(sys.argv[1])) as store:
            there = store.records()
            for key, (record, arrays) in RUNS.items():
                if key not in there:
                    store.append("trial", record, arrays)
                    # Not by write, which is the call that is made to fail.
                    os.writev(1, [key.encode()])
            store.write_notes("environment", {"cores": 2})
    except InputError as error:
        os.writev(2, [error.message.encode()])
        sys.exit(2)


if __name__ == "__main__":
    main()
