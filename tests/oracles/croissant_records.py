"""What mlcroissant makes of a Croissant data set: prints issues, and records of each set."""

from __future__ import annotations

import itertools
import json
import sys

import mlcroissant

dataset = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = dataset.metadata.ctx.issues
records = {
    one.id: [
        {k: v.decode() if isinstance(v, bytes) else v for k, v in record.items()}
        for record in itertools.islice(dataset.records(one.id), 1000)
    ]
    for one in dataset.metadata.record_sets
}
said = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "records": records}
sys.stdout.write(json.dumps(said, default=str) + "\n")
