"""KITTI labels come back byte for byte, and cuboids keep their meaning between frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from trips import there_and_back

from labelstore.errors import FormatError, LossRefused
from labelstore.geometry.cuboids import corners
from labelstore.model.labels import Cuboid3D
from labelstore.store import Store, init_store
from labelstore_converters.kitti import Kitti

DATA = Path(__file__).parents[1] / "data"
CAR = "Car 0.00 0 -1.57 600.00 150.00 630.00 190.00 2.85 2.63 12.34 0.47 1.49 69.44 -1.56"


def texts(folder: Path) -> dict[str, bytes]:
    """Return the text files of a folder."""
    found = (p for p in folder.rglob("*") if p.suffix == ".txt" or "seqmap" in p.name)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def labels(folder: Path, name: str = "label_2", **files: str) -> Path:
    """Make a data set of label files."""
    (folder / name).mkdir(parents=True)
    for stem, text in files.items():
        (folder / name / f"{stem.strip('_')}.txt").write_text(text, newline="")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return init_store(tmp_path / "store")


def back(store: Store, source: Path, target: Path, name: str = "kitti") -> dict[str, bytes]:
    """Import and export, and return what was written."""
    store.import_from(name, source, message="in", commit=True)
    store.export_to(name, target)
    return texts(target)


@pytest.mark.parametrize("name", ["lgsvl_object", "datumaro_3d"])
def test_real_labels_and_calibrations_come_back_byte_for_byte(
    store: Store, tmp_path: Path, name: str
) -> None:
    source = DATA / "kitti" / name
    assert back(store, source, tmp_path / "out") == texts(source)
    assert not [f for f in store.check() if f.severity == "error"]


NUMBER = st.builds(
    lambda value, digits: f"{value:.{digits}f}", st.floats(-2000, 2000), st.integers(0, 8)
)
FILLED = st.one_of(
    NUMBER, st.sampled_from(["-1", "-10", "-1000", "-1.00", "-1000.0", "0", "1e-3"])
)
CLASS = st.sampled_from(["Car", "DontCare", "Person_sitting", "Person (sitting)", "Ä B c"])


@st.composite
def lines(draw: st.DrawFn, lead: str = "") -> str:
    """Return a line as programs write it, or nearly so."""
    tokens = [draw(CLASS), *draw(st.lists(FILLED, min_size=14, max_size=15))]
    end = draw(st.sampled_from(["", "", " "]))
    return lead + draw(st.sampled_from([" ", " ", "  "])).join(tokens) + end


@st.composite
def files(draw: st.DrawFn) -> str:
    """Return a label file."""
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = newline.join(draw(st.lists(lines(), max_size=4)))
    return text + draw(st.sampled_from(["", newline, newline * 2]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts_=st.lists(files(), min_size=1, max_size=3))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts_: list[str]) -> None:
    folder = tmp_path_factory.mktemp("kitti")
    source = labels(folder / "in", **{f"_{i:06d}": text for i, text in enumerate(texts_)})
    there_and_back(Kitti(), source, folder / "out")
    assert texts(folder / "out") == texts(source)


TRACKED = (
    "0 0 Van 0 0 -1.793451 296.744956 161.752147 455.226042 292.372804 2.000000 1.823255 4.433886 "
    "-4.552284 1.858523 13.410495 -2.115488\n"
    "0 -1 DontCare -1 -1 -10.000000 219.310000 188.490000 245.500000 218.560000 -1000.000000 "
    "-1000.000000 -1000.000000 -10.000000 -1.000000 -1.000000 -1.000000\n"
    "3 0 Van 1 2 -1.796862 294.898777 156.024256 452.199718 284.621269 2.000000 1.823255 4.433886 "
    "-4.650955 1.766774 13.581085 -2.121565 0.912000\n"
)


def test_tracking_keeps_tracks_frames_and_the_length_of_sequences(
    store: Store, tmp_path: Path
) -> None:
    source = labels(tmp_path / "in" / "training", "label_02", _0000=TRACKED, _0001="").parent
    (source / "evaluate_tracking.seqmap").write_text("0000 empty 000000 000009\n")
    assert back(store, source, tmp_path / "out", "kitti-tracking") == texts(source)
    sequences = store.query(
        "SELECT v.uri, count(f.item_id) AS frames FROM items v LEFT JOIN items f ON "
        "f.parent_id = v.item_id WHERE v.modality = 'video' GROUP BY 1 ORDER BY 1"
    ).to_pylist()
    assert [row["frames"] for row in sequences] == [9, 0]
    found = store.query(
        "SELECT i.frame_index, i.uri, a.track_id, a.kind, a.ignore FROM annotations a "
        "JOIN items i USING (item_id) ORDER BY a.seq"
    ).to_pylist()
    assert [row["frame_index"] for row in found] == [0, 0, 3]
    assert found[2]["uri"] == "training/image_02/0000/000003.png"
    assert found[0]["track_id"] == found[2]["track_id"] is not None
    assert (found[1]["track_id"], found[1]["kind"], found[1]["ignore"]) == (None, "box", True)
    assert not store.import_from("kitti-tracking", source, mode="update").changed


def test_a_track_that_a_delivery_no_longer_has_goes(store: Store, tmp_path: Path) -> None:
    source = labels(tmp_path / "in", "label_02", _0000=TRACKED)
    store.import_from("kitti-tracking", source, message="in", commit=True)
    (source / "label_02/0000.txt").write_text(TRACKED.replace("0 0 Van", "0 7 Van", 1))
    store.import_from("kitti-tracking", source, mode="update", message="again", commit=True)
    assert store.query("SELECT source_id FROM tracks ORDER BY 1").column(0).to_pylist() == [0, 7]
    (source / "label_02/0000.txt").write_text(TRACKED.splitlines()[1] + "\n")
    store.import_from("kitti-tracking", source, mode="update", message="none", commit=True)
    assert store.query("SELECT * FROM tracks").num_rows == 0


def test_every_fault_is_named_at_once(store: Store, tmp_path: Path) -> None:
    bad = "\n".join([CAR, "Car 1 2 3", CAR.replace("150.00", "x"), CAR.replace("2.63", "nan")])
    source = labels(tmp_path / "in", _000001=bad, _000002="Car\n")
    with pytest.raises(FormatError) as caught:
        store.import_from("kitti", source)
    told = str(caught.value)
    assert "label_2/000001.txt, line 2: has 4 columns; 15 or 16 make a label" in told
    assert "label_2/000001.txt, line 3: column 6: 'x' is no number" in told
    assert "label_2/000001.txt, line 4: column 10: 'nan' is no number" in told
    assert "label_2/000002.txt, line 1: has 1 columns" in told
    assert not store.staged()


def test_a_second_image_of_one_name_is_told(store: Store, tmp_path: Path) -> None:
    source = labels(tmp_path / "in", _a=f"{CAR}\n")
    (source / "image_2").mkdir()
    for suffix in ("png", "jpg"):
        Image.new("L", (20, 10)).save(source / f"image_2/a.{suffix}")
    report = store.import_from("kitti", source)
    assert report.notices == {"kitti-image-shadowed": 1}
    assert report.items == 1


def test_what_the_columns_mean(store: Store, tmp_path: Path) -> None:
    source = labels(tmp_path / "in", _000001=f"{CAR} 0.75\nDontCare -1 -1 -10 1 2 3 4"
                                             " -1 -1 -1 -1000 -1000 -1000 -10\n")  # fmt: skip
    store.import_from("kitti", source, message="in", commit=True)
    car, region = store.query(
        "SELECT a.*, g.* FROM annotations a JOIN geometries g USING (annotation_id) ORDER BY a.seq"
    ).to_pylist()
    assert (car["kind"], car["score"], car["occluded"], car["truncated"]) == (
        "cuboid3d", 0.75, 0.0, 0.0)  # fmt: skip
    assert (car["frame"], car["cuboid3d"]["anchor"], car["alpha"]) == ("camera", "bottom", -1.57)
    assert (region["kind"], region["ignore"], region["alpha"]) == ("box", True, None)
    assert (region["cuboid3d"], region["truncated"], region["occluded"]) == (None, None, None)


def devkit_corners(h: float, w: float, length: float, xyz: list[float], ry: float) -> np.ndarray:
    """Return corners by the development kit's formula, shape (8, 3)."""
    x = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
    y = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * h
    z = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * w / 2
    turn = [[np.cos(ry), 0, np.sin(ry)], [0, 1, 0], [-np.sin(ry), 0, np.cos(ry)]]
    found: np.ndarray = (np.array(turn) @ np.stack([x, y, z])).T + xyz
    return found


def test_cuboids_have_the_corners_of_the_development_kit(store: Store, tmp_path: Path) -> None:
    source = labels(tmp_path / "in", _000001=CAR.replace("-1.56", "0.73") + "\n")
    store.import_from("kitti", source, message="in", commit=True)
    column = store.query("SELECT cuboid3d FROM geometries").column(0).combine_chunks()
    expected = devkit_corners(2.85, 2.63, 12.34, [0.47, 1.49, 69.44], 0.73)
    found = corners(column)[0]
    order = [np.lexsort(np.round(c, 6).T) for c in (found, expected)]
    np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=1e-9)


def test_cuboids_of_the_laser_scanner_go_out_in_the_cameras_axes(
    store: Store, tmp_path: Path
) -> None:
    store.import_from("kitti", DATA / "kitti/lgsvl_object", message="in", commit=True)
    uri = "training/image_2/000001.png"
    with store.edit(by="ada", message="a car ahead") as edit:
        label = Cuboid3D(
            item=uri, category="Car", center=(10, 0, 0), size=(4, 2, 1.5), frame="lidar"
        )
        edit.add([label])
    with pytest.raises(LossRefused, match="kitti-moved"):
        store.export_to("kitti", tmp_path / "no")
    store.export_to("kitti", tmp_path / "out", allow_loss=["all"])
    line = (tmp_path / "out/training/label_2/000001.txt").read_text().splitlines()[-1].split()
    values = [float(token) for token in line[8:15]]
    # forwards is z of the camera, and the lower face lies h / 2 below the centre
    np.testing.assert_allclose(values[:3], [1.5, 2.0, 4.0], atol=1e-12)
    np.testing.assert_allclose(values[3:6], [0.0, 0.75 - 0.612, 10 - 0.168], atol=1e-3)
    np.testing.assert_allclose(values[6], -np.pi / 2, atol=1e-9)


def test_boxes_of_coco_go_out_as_labels_without_a_cuboid(store: Store, tmp_path: Path) -> None:
    store.import_from("coco", DATA / "cross/voc100/instances_default.json",
                      message="in", commit=True)  # fmt: skip
    with pytest.raises(LossRefused) as caught:
        store.export_to("kitti", tmp_path / "no")
    assert "kitti-drops-source_id" in str(caught.value)
    store.export_to("kitti", tmp_path / "out", allow_loss=["all"])
    again = init_store(tmp_path / "again")
    again.import_from("kitti", tmp_path / "out", message="in", commit=True)
    question = (
        "SELECT c.name, xmin, ymin, xmax, ymax, regexp_extract(i.uri, '[^/]*$') AS image "
        "FROM annotations a JOIN items i USING (item_id) JOIN categories c USING (category_id) "
        "ORDER BY ALL"
    )
    ours, theirs = (s.query(question).to_pylist() for s in (store, again))
    assert len(ours) == 273
    assert [r["name"] for r in ours] == [r["name"] for r in theirs]
    for side in ("xmin", "ymin", "xmax", "ymax"):
        np.testing.assert_allclose([r[side] for r in ours], [r[side] for r in theirs], atol=1e-9)
