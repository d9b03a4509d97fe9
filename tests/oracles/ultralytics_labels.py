"""What Ultralytics' own data set reads, as JSON; runs in the environment of `make oracles`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset


def main() -> None:
    """Print of each image its name, classes, boxes, outlines and keypoints."""
    path, task = sys.argv[1:]
    data = check_det_dataset(path, autodownload=False)
    found = YOLODataset(img_path=data["train"], data=data, task=task, augment=False)
    told = [
        {
            "image": Path(label["im_file"]).stem,
            "size": list(label["shape"]),
            "classes": label["cls"][:, 0].tolist(),
            "boxes": label["bboxes"].tolist(),
            "outlines": [outline.tolist() for outline in label["segments"]],
            "keypoints": None if label["keypoints"] is None else label["keypoints"].tolist(),
        }
        for label in found.labels
    ]
    sys.stdout.write(json.dumps({"names": data["names"], "labels": told}) + "\n")


if __name__ == "__main__":
    main()
