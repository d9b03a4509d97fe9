"""What another format left out comes back, and what it is told to leave out is what it leaves."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelstore.errors import Corrupt, FormatError, InvalidInput
from labelstore.exchange.sidecar.file import NAME
from labelstore.store import Store, init_store
from labelstore.testing import filled

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "coco/tiny_coco"
COCO = {
    "instances": TINY / "instances_val2017.json",
    "keypoints": TINY / "person_keypoints_val2017.json",
    "captions": TINY / "captions_val2017.json",
    "voc100": DATA / "cross/voc100/instances_default.json",
    "masks": next((DATA / "coco/labelformat_masks").glob("*.json")),
}


def read(
    folder: Path, name: str, source: Path, *, sizes: Path | None = None, sidecar: bool = True
) -> Store:
    """Return a store that has read a source."""
    store = init_store(folder)
    store.import_from(name, source, message="in", commit=True, sizes=sizes, sidecar=sidecar)
    return store


@pytest.mark.parametrize("through", ["yolo", "kitti"])
@pytest.mark.parametrize("name", COCO)
def test_coco_comes_back_through_another_format(tmp_path: Path, name: str, through: str) -> None:
    first = read(tmp_path / "first", "coco", COCO[name])
    first.export_to(through, tmp_path / "mid", allow_loss=["all"])
    second = read(tmp_path / "second", through, tmp_path / "mid")
    second.export_to("coco", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == COCO[name].read_bytes()


@pytest.mark.parametrize("name", ["lgsvl_object", "datumaro_3d"])
def test_kitti_comes_back_through_coco(tmp_path: Path, name: str) -> None:
    source = DATA / "kitti" / name
    first = read(tmp_path / "first", "kitti", source)
    first.export_to("coco", tmp_path / "mid.json", allow_loss=["all"])
    second = read(tmp_path / "second", "coco", tmp_path / "mid.json")
    second.export_to("kitti", tmp_path / "out")
    for path in source.rglob("*.txt"):
        assert (tmp_path / "out" / path.relative_to(source)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("through", ["yolo", "kitti"])
@pytest.mark.parametrize("name", COCO)
def test_losses_are_those_that_are_told(tmp_path: Path, name: str, through: str) -> None:
    """Without the sidecar a column that is told to go is gone, in so many labels; others stay."""
    first = read(tmp_path / "first", "coco", COCO[name])
    report = first.export_to(through, tmp_path / "mid", allow_loss=["all"], sidecar=False)
    second = read(tmp_path / "second", through, tmp_path / "mid", sizes=COCO[name])
    codes = [f"{through}-{reason}" for reason in ("shapes-left-out", "without-class")]
    left_out = sum(report.notices.get(code, 0) for code in codes)
    more = report.notices.get("yolo-rings-apart", 0)
    assert (second.query("SELECT * FROM annotations").num_rows == _count(first) - left_out) or more
    before, after = (said(filled(s)) for s in (first, second))
    for column, count in before.items():
        told = report.notices.get(f"{through}-drops-{column}", 0)
        assert told in (0, count), column
        if column in ("box", "box_form"):
            told = report.notices.get("yolo-boxes-follow", 0)
        assert after.get(column, 0) == 0 if told else column in after, column
    made = {c for c in after if c not in before} - {"box", "box_form", "number_style"}
    assert not made - {"polygons", "frame", "leftovers"}


def said(counts: dict[str, int]) -> dict[str, int]:
    """Return counts of columns that say something and do not follow from others."""
    return {column: n for column, n in counts.items() if n and column not in FOLLOWS}


FOLLOWS = {"layer", "item_id", "annotation_id", "kind", "xmin", "ymin", "xmax", "ymax"}


def _count(store: Store) -> int:
    return int(store.query("SELECT * FROM annotations").num_rows)


def test_labels_that_somebody_changed_are_taken_as_they_are_read(tmp_path: Path) -> None:
    first = read(tmp_path / "first", "coco", COCO["instances"])
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"], task="detect")
    label = sorted((tmp_path / "mid/labels").rglob("*.txt"))[0]
    lines = label.read_text().splitlines()
    lines[0] = "0 0.5 0.5 0.25 0.25"
    label.write_text("\n".join([*lines, "79 0.1 0.1 0.1 0.1"]) + "\n")
    second = read(tmp_path / "second", "yolo", tmp_path / "mid")
    report = second.import_from("yolo", tmp_path / "mid", mode="update", dry_run=True)
    told = {k: v for k, v in report.notices.items() if k.startswith("labels-")}
    assert told == {"labels-restored": 381, "labels-new": 2, "labels-gone": 1}
    fresh = second.query(
        "SELECT xmax - xmin AS w, i.width FROM annotations a JOIN items i USING (item_id) "
        "ORDER BY source_id DESC LIMIT 2"
    ).to_pylist()
    assert [round(row["w"] / row["width"], 9) for row in fresh] == [0.1, 0.25]
    second.export_to("coco", tmp_path / "out.json")
    before, after = (json.loads(p.read_text()) for p in (COCO["instances"], tmp_path / "out.json"))
    kept = {json.dumps(a) for a in after["annotations"]}
    assert sum(json.dumps(a) in kept for a in before["annotations"]) == 381


def test_labels_that_changed_keep_what_the_file_cannot_say(tmp_path: Path) -> None:
    """A class is changed, a box is moved a little: ids and all else stay, as far as they can."""
    first = read(tmp_path / "first", "coco", COCO["instances"])
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"], task="detect")
    label = max((tmp_path / "mid/labels").rglob("*.txt"), key=lambda p: p.stat().st_size)
    lines = [line.split() for line in label.read_text().splitlines()]
    lines[0][0] = "79"
    lines[1][1] = str(float(lines[1][1]) + float(lines[1][3]) / 20)
    label.write_text("\n".join(map(" ".join, lines)) + "\n")
    second = read(tmp_path / "second", "yolo", tmp_path / "mid")
    second.export_to("coco", tmp_path / "out.json")
    before, after = (json.loads(p.read_text())["annotations"]
                     for p in (COCO["instances"], tmp_path / "out.json"))  # fmt: skip
    assert [a["id"] for a in before] == [a["id"] for a in after]
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(pairs) == 2
    (was, reclassified), (still, moved) = pairs
    assert reclassified == {**was, "category_id": 90}
    assert moved["bbox"][0] == pytest.approx(still["bbox"][0] + still["bbox"][2] / 20)
    assert (moved["category_id"], moved["iscrowd"]) == (still["category_id"], 0)
    assert moved["area"] == pytest.approx(still["bbox"][2] * still["bbox"][3])


def test_an_edit_inside_an_outline_is_taken(tmp_path: Path) -> None:
    """A vertex is moved and the covering box stays: the file's outline counts, ids stay."""
    source = DATA / "coco/labelformat_masks/instances.json"
    first = read(tmp_path / "outlines", "coco", source)
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"], task="segment")
    label = max((tmp_path / "mid/labels").rglob("*.txt"), key=lambda p: p.stat().st_size)
    lines = [line.split() for line in label.read_text().splitlines()]
    numbers = [float(token) for token in lines[0][1:]]
    xs, ys = numbers[::2], numbers[1::2]
    inner = next(i for i, (x, y) in enumerate(zip(xs, ys, strict=True))
                 if x not in (min(xs), max(xs)) and y not in (min(ys), max(ys)))  # fmt: skip
    lines[0][1 + 2 * inner] = repr((min(xs) + max(xs)) / 2)
    label.write_text("\n".join(map(" ".join, lines)) + "\n")
    second = read(tmp_path / "second", "yolo", tmp_path / "mid")
    second.export_to("coco", tmp_path / "out.json")
    before, after = (json.loads(p.read_text())["annotations"]
                     for p in (source, tmp_path / "out.json"))  # fmt: skip
    assert [a["id"] for a in before] == [a["id"] for a in after]
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 1
    assert changed[0][0]["segmentation"] != changed[0][1]["segmentation"]


def test_an_attribute_that_somebody_set_is_taken(tmp_path: Path) -> None:
    """Nothing but an attribute and a flag is changed, and what the file cannot say stays."""
    first = read(tmp_path / "first", "voc", DATA / "cross/voc100/pascalvoc_format")
    first.export_to("cvat", tmp_path / "mid.xml", allow_loss=["all"])
    text = (tmp_path / "mid.xml").read_text()
    begin = text.index('<attribute name="pose">')
    end = text.index("</attribute>", begin)
    edited = text[:begin] + '<attribute name="pose">Upside down' + text[end:]
    (tmp_path / "mid.xml").write_text(edited)
    second = read(tmp_path / "second", "cvat", tmp_path / "mid.xml")
    second.export_to("voc", tmp_path / "out")
    changed = []
    for path in (DATA / "cross/voc100/pascalvoc_format").glob("*.xml"):
        pair = path.read_text(), (tmp_path / "out" / path.name).read_text()
        changed += [pair] if pair[0] != pair[1] else []
    assert len(changed) == 1
    lines = zip(changed[0][0].splitlines(), changed[0][1].splitlines(), strict=True)
    (line,) = [b.strip() for a, b in lines if a != b]
    assert line == "<pose>Upside down</pose>"


def test_a_label_put_on_another_track_is_taken(tmp_path: Path) -> None:
    (tmp_path / "in/s/gt").mkdir(parents=True)
    (tmp_path / "in/s/gt/gt.txt").write_text(TRACKS)
    first = read(tmp_path / "first", "mot", tmp_path / "in")
    first.export_to("kitti-tracking", tmp_path / "mid", allow_loss=["all"])
    (path,) = (tmp_path / "mid").rglob("label_02/*.txt")
    lines = [line.split() for line in path.read_text().splitlines()]
    tracks = sorted({line[1] for line in lines})
    lines[0][1] = next(t for t in tracks if t != lines[0][1])
    path.write_text("".join(" ".join(line) + "\n" for line in lines))
    second = read(tmp_path / "second", "kitti-tracking", tmp_path / "mid")
    second.export_to("mot", tmp_path / "out", allow_loss=["all"])
    (found,) = (tmp_path / "out").rglob("gt.txt")
    counts = Counter(line.split(",")[1] for line in found.read_text().splitlines())
    assert sorted(counts.values()) == [2, 4]
    assert set(counts) == {"5", "7"}


def test_what_is_gone_is_told(tmp_path: Path) -> None:
    first = read(tmp_path / "first", "coco", COCO["instances"])
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"])
    label = max((tmp_path / "mid/labels").rglob("*.txt"), key=lambda p: p.stat().st_size)
    label.unlink()
    second = init_store(tmp_path / "second")
    report = second.import_from("yolo", tmp_path / "mid")
    assert report.notices["items-gone"] == 1
    assert report.notices["labels-gone"] == 382 - report.notices["labels-restored"] > 0


def test_an_export_takes_an_older_sidecar_away(tmp_path: Path) -> None:
    first = read(tmp_path / "first", "kitti", DATA / "kitti/lgsvl_object")
    first.export_to("coco", tmp_path / "a.json", allow_loss=["all"])
    assert (tmp_path / f"a.json.{NAME}").is_file()
    other = read(tmp_path / "other", "coco", COCO["voc100"])
    other.export_to("coco", tmp_path / "a.json")
    assert not (tmp_path / f"a.json.{NAME}").exists()


def test_a_sidecar_of_something_else_is_refused(tmp_path: Path) -> None:
    for name in ("voc100", "instances"):
        read(tmp_path / name, "coco", COCO[name]).export_to(
            "yolo", tmp_path / f"{name}-out", task="detect", allow_loss=["all"]
        )
    (tmp_path / "voc100-out" / NAME).replace(tmp_path / "instances-out" / NAME)
    with pytest.raises(InvalidInput, match="no label is as it was"):
        read(tmp_path / "third", "yolo", tmp_path / "instances-out")


TRACKS = "".join(f"{frame},{track},{10 * frame + 40 * track},5,20,30,1,1,1\n"
                 for frame in (1, 2, 3) for track in (5, 7))  # fmt: skip


def test_tracks_stay_whole_when_a_box_is_moved(tmp_path: Path) -> None:
    """A box near and a box far from where it was: both stay on the track that they had."""
    (tmp_path / "in/s/gt").mkdir(parents=True)
    (tmp_path / "in/s/gt/gt.txt").write_text(TRACKS)
    first = read(tmp_path / "first", "mot", tmp_path / "in")
    first.export_to("cvat", tmp_path / "mid.xml", allow_loss=["all"])
    text = (tmp_path / "mid.xml").read_text()
    assert text.count('xtl="220"') == text.count('xtl="310"') == 1
    moved = text.replace('xtl="220"', 'xtl="221"').replace('xtl="310"', 'xtl="100"')
    (tmp_path / "mid.xml").write_text(moved.replace('xbr="330"', 'xbr="120"'))
    second = read(tmp_path / "second", "cvat", tmp_path / "mid.xml")
    second.export_to("mot", tmp_path / "out", allow_loss=["all"])
    lines = (tmp_path / "out/s/gt/gt.txt").read_text().splitlines()
    assert sorted(line.split(",")[1] for line in lines) == ["5"] * 3 + ["7"] * 3
    assert second.query("SELECT count(*) AS n FROM tracks").to_pylist() == [{"n": 2}]


def test_items_that_somebody_took_away_are_gone(tmp_path: Path) -> None:
    first = read(tmp_path / "first", "coco", COCO["instances"])
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"])
    label = max((tmp_path / "mid/labels").rglob("*.txt"), key=lambda p: p.stat().st_size)
    label.unlink()
    second = read(tmp_path / "second", "yolo", tmp_path / "mid")
    assert second.query("SELECT count(*) AS n FROM items").to_pylist() == [{"n": 49}]


def test_a_sidecar_can_be_left_out_and_a_broken_one_is_told(tmp_path: Path) -> None:
    first = read(tmp_path / "first", "coco", COCO["voc100"])
    first.export_to("yolo", tmp_path / "bare", allow_loss=["all"], sidecar=False)
    assert not list((tmp_path / "bare").rglob("*.parquet"))
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"])
    plain = read(tmp_path / "plain", "yolo", tmp_path / "mid", sidecar=False)
    assert plain.query("SELECT DISTINCT format FROM datasets").to_pylist() == [{"format": "yolo"}]
    pq.write_table(pa.table({"a": [1]}), tmp_path / "mid" / NAME)
    with pytest.raises(Corrupt, match="--no-sidecar"):
        plain.import_from("yolo", tmp_path / "mid", mode="update")


def test_sizes_that_come_later_turn_parts_into_pixels(tmp_path: Path) -> None:
    first = read(tmp_path / "first", "coco", COCO["voc100"])
    first.export_to("yolo", tmp_path / "mid", allow_loss=["all"], task="detect", sidecar=False)
    second = read(tmp_path / "second", "yolo", tmp_path / "mid")
    units = "SELECT count(*) AS n FROM geometries WHERE frame = 'unit'"
    assert second.query(units).to_pylist() == [{"n": 273}]
    second.import_from("yolo", tmp_path / "mid", mode="update", sizes=COCO["voc100"],
                       message="sizes", commit=True)  # fmt: skip
    assert second.query(units).to_pylist() == [{"n": 0}]
    second.export_to("yolo", tmp_path / "again")
    for path in (tmp_path / "mid").rglob("*.txt"):
        again = tmp_path / "again" / path.relative_to(tmp_path / "mid")
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("s.csv", "uri,height\na,1\n", "needs the columns uri, width and height"),
        ("s.csv", "uri,width,height\na,0,1\nb,x,2\n", "line 3: 'b' has no width and height"),
        ("s.csv", "uri,width,height\na,1,1\na,2,1\n", "'a' has two sizes"),
        ("s.json", "[1]", "is no COCO file"),
        ("s.json", '{"a": [1, 2', "truncated"),
    ],
)
def test_files_of_sizes_with_faults(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    store = init_store(tmp_path / "store")
    with pytest.raises(FormatError, match=told):
        store.import_from("kitti", DATA / "kitti/lgsvl_object", sizes=tmp_path / name)
