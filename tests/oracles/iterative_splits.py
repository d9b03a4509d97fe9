"""Splits by iterative stratification (Sechidis et al. 2011): prints the fold of each row."""

from __future__ import annotations

import json
import sys

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

counts = np.load(sys.argv[1])
folds = MultilabelStratifiedKFold(n_splits=int(sys.argv[2]), shuffle=True, random_state=0)
found = np.zeros(len(counts), int)
for fold, (_, held_out) in enumerate(folds.split(np.zeros(len(counts)), counts > 0)):
    found[held_out] = fold
sys.stdout.write(json.dumps(found.tolist()) + "\n")
