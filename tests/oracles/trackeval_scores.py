"""What TrackEval says of a tracker and the truth, as JSON; runs as `ultralytics_labels.py`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import trackeval

for name, kind in (("float", float), ("int", int), ("bool", bool)):
    setattr(np, name, kind)  # what its readers call them, and NumPy no longer does


def main() -> None:
    """Print HOTA, MOTA and IDF1 of all classes together, and how many objects there are."""
    kind, config = sys.argv[1], json.loads(sys.argv[2])
    dataset = getattr(trackeval.datasets, kind)({**config, "PRINT_CONFIG": False})
    quiet = {"PRINT_RESULTS": False, "PRINT_CONFIG": False, "OUTPUT_SUMMARY": False,
             "OUTPUT_DETAILED": False, "PLOT_CURVES": False, "USE_PARALLEL": False,
             "TIME_PROGRESS": False, "BREAK_ON_ERROR": True}  # fmt: skip
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": False}),
               trackeval.metrics.Identity({"PRINT_CONFIG": False})]  # fmt: skip
    found, _ = trackeval.Evaluator(quiet).evaluate([dataset], metrics)
    (trackers,) = found.values()
    (sequences,) = trackers.values()
    told = {name: scores_of(scores) for name, scores in sequences["COMBINED_SEQ"].items()}
    sys.stdout.write(f"{json.dumps(told)}\n")


def scores_of(found: Mapping[str, Any]) -> dict[str, float]:
    """Return what is said of one class."""
    return {
        "HOTA": float(np.mean(found["HOTA"]["HOTA"])),
        "MOTA": float(found["CLEAR"]["MOTA"]),
        "IDF1": float(found["Identity"]["IDF1"]),
        "objects": int(found["Count"]["GT_Dets"]),
        "tracks": int(found["Count"]["GT_IDs"]),
    }


if __name__ == "__main__":
    main()
