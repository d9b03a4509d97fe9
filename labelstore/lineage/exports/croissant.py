"""A version as a Croissant data set: its own parts, and what a machine must know to read them.

Terms of Croissant 1.1 with those of responsible AI (RAI): https://docs.mlcommons.org/croissant
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from labelstore.lineage.exports.facts import guidelines, models, per_item, reviewed, tools
from labelstore.model.tables import TABLES
from labelstore.plugins.files import whole_folder
from labelstore.versions.manifest import PARTS

if TYPE_CHECKING:
    from labelstore.lineage.exports.recorded import Published, Recorded
    from labelstore.model.tables import Table

FILE = "croissant.json"
FOLDER = "labels"
CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
PARQUET = "application/x-parquet"
TABLES_TOLD = ("items", "categories", "annotations", "geometries", "tracks", "splits", "relations")
CONTEXT: dict[str, Any] = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/", "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo", "citeAs": "cr:citeAs", "column": "cr:column",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"}, "extract": "cr:extract",
    "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet", "format": "cr:format", "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key",
    "md5": "cr:md5", "parentField": "cr:parentField", "path": "cr:path",
    "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex",
    "repeated": "cr:repeated", "replace": "cr:replace", "samplingRate": "cr:samplingRate",
    "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField",
    "transform": "cr:transform",
}  # fmt: skip
NUMBERED = re.compile(r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?")
REFERENCES = {"item_id": "items", "category_id": "categories", "annotation_id": "annotations",
              "track_id": "tracks"}  # fmt: skip


def write_croissant(recorded: Recorded, target: Path) -> None:
    """Write a folder with a version's parts, byte for byte, and `croissant.json`.

    The folder appears whole or not at all.

    Raises:
        InvalidInput: something else is there.
        NotFound: parts are in no local folder.
    """
    manifest = recorded.manifest
    with whole_folder(target, FILE) as folder:
        for part in manifest.parts:
            path = folder / FOLDER / part.path
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(manifest.path(part), path)
        index = manifest.bytes_of(PARTS)
        (folder / FOLDER).mkdir(exist_ok=True)
        (folder / FOLDER / PARTS).write_bytes(index)
        text = json.dumps(croissant(recorded, index), indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def croissant(recorded: Recorded, index: bytes) -> dict[str, Any]:
    """Return the description of a version.

    Args:
        recorded: what is recorded of it.
        index: bytes of its index of parts, whose hash is stated.
    """
    version, about = recorded.newest, recorded.about
    known = {
        "description": about.description or f"Labels of {about.name}",
        "url": about.url, "license": about.license, "citeAs": about.cite_as,
        "creator": [{"@type": "sc:Organization", "name": name} for name in about.creators],
    }  # fmt: skip
    sets = [t for t in TABLES_TOLD if recorded.manifest.parts_of(t)]
    return {
        "@context": CONTEXT, "@type": "sc:Dataset", "conformsTo": CONFORMS, "name": about.name,
        **{name: value for name, value in known.items() if value},
        "version": _version(version), "alternateName": version.commit.name,
        "datePublished": version.commit.when,
        "identifier": f"urn:labelstore:root:{version.root}", **_responsible(recorded),
        "prov:wasDerivedFrom": _sources(recorded),
        "distribution": [_index(index), *(_files(recorded, name) for name in sets)],
        "recordSet": [_records(TABLES[name], sets) for name in sets],
    }  # fmt: skip


def _version(version: Published) -> str:
    """Return a version as Croissant wants it: v3 as 3.0.0; 0.0.0 and the root for other names."""
    found = NUMBERED.fullmatch(version.commit.name)
    if found is None:
        return f"0.0.0+{version.root[:12]}"
    return ".".join(number or "0" for number in found.groups())


def _responsible(recorded: Recorded) -> dict[str, Any]:
    """Return what the vocabulary of responsible AI has words for; nothing that nobody said."""
    about, labels = recorded.about, recorded.activities
    protocol = [about.protocol, *guidelines(labels)]
    told = {
        "dataCollection": about.collection,
        "dataAnnotationProtocol": "; ".join(p for p in protocol if p),
        "dataAnnotationPlatform": tools(labels),
        "machineAnnotationTools": models(labels),
        "annotationsPerItem": per_item(recorded.manifest),
        "dataAnnotationAnalysis": reviewed(recorded.manifest),
        "dataPreprocessingProtocol": about.preprocessing,
        "dataUseCases": about.uses, "dataLimitations": about.limitations,
        "dataBiases": about.biases, "personalSensitiveInformation": about.sensitive,
        "dataSocialImpact": about.social_impact,
        "dataReleaseMaintenancePlan": about.maintenance,
    }  # fmt: skip
    return {f"rai:{name}": value for name, value in told.items() if value}


def _sources(recorded: Recorded) -> list[dict[str, Any]]:
    return [
        {"@id": f"urn:sha256:{file['sha256']}", "name": f"{row['name']} ({row['format']})"}
        for row in recorded.datasets for file in row["files"] or []
    ]  # fmt: skip


def _index(data: bytes) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": "index", "name": "index",
        "description": "digests of all parts, of which the identifier is the root",
        "contentUrl": f"{FOLDER}/{PARTS}", "contentSize": f"{len(data)} B",
        "encodingFormat": PARQUET, "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip


def _files(recorded: Recorded, name: str) -> dict[str, Any]:
    """Return the parts of a table."""
    folders = sorted({str(Path(part.path).parent) for part in recorded.manifest.parts_of(name)})
    return {
        "@type": "cr:FileSet", "@id": f"{name}-files", "name": f"{name}-files",
        "encodingFormat": PARQUET, "includes": [f"{FOLDER}/{f}/*.parquet" for f in folders],
    }  # fmt: skip


def _records(table: Table, sets: list[str]) -> dict[str, Any]:
    """Return the rows of a table; columns of structures are only named."""
    fields, others = [], []
    for column in table.schema:
        told = _type(column.type)
        if told is None:
            others.append(column.name)
        else:
            fields.append(_field(table.name, column.name, told, sets))
    more = f" Also in the files: {', '.join(others)}." if others else ""
    said = (table.model.__doc__ or "").split("\n")[0]
    return {"@type": "cr:RecordSet", "@id": table.name, "name": table.name,
            "description": said + more, "field": fields}  # fmt: skip


def _field(table: str, column: str, told: dict[str, Any], sets: list[str]) -> dict[str, Any]:
    other = REFERENCES.get(column)
    link = {"references": {"field": {"@id": f"{other}/{column}"}}}
    return {
        "@type": "cr:Field", "@id": f"{table}/{column}", "name": column, **told,
        "source": {"fileSet": {"@id": f"{table}-files"}, "extract": {"column": column}},
        **(link if other in sets and other != table else {}),
    }  # fmt: skip


def _type(kind: pa.DataType) -> dict[str, Any] | None:
    """Return the type of a column; None for structures."""
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    if pa.types.is_list(kind):
        inner = _type(kind.value_type)
        return None if inner is None or "repeated" in inner else {**inner, "repeated": True}
    names = {
        "sc:Integer": pa.types.is_integer, "sc:Float": pa.types.is_floating,
        "sc:Boolean": pa.types.is_boolean, "sc:Text": pa.types.is_string,
        "sc:DateTime": pa.types.is_timestamp,
    }  # fmt: skip
    found = next((name for name, is_so in names.items() if is_so(kind)), None)
    return None if found is None else {"dataType": found}
