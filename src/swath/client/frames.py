"""A result as a data frame of polars or pandas, which are the caller's: each is imported when asked for."""

import gzip
import io
import json
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import zstandard


def to_polars(data: bytes, file_format: str) -> Any:
    """Return a polars data frame of a result file. Raises ModuleNotFoundError where there is no polars."""
    polars, data = _library("polars"), _unpack(data)
    if file_format == "csv":
        return polars.read_csv(data, infer_schema_length=None) if data.strip() else polars.DataFrame()
    if file_format == "parquet":
        return polars.read_parquet(data)
    return polars.DataFrame(flat_rows(data, file_format), infer_schema_length=None)


def to_pandas(data: bytes, file_format: str) -> Any:
    """Return a pandas data frame of a result file. Raises ModuleNotFoundError where there is no pandas."""
    pandas, data = _library("pandas"), _unpack(data)
    if file_format == "csv":
        return pandas.read_csv(io.BytesIO(data)) if data.strip() else pandas.DataFrame()
    if file_format == "parquet":
        return pandas.read_parquet(io.BytesIO(data))
    return pandas.DataFrame(flat_rows(data, file_format))


def _unpack(data: bytes) -> bytes:
    """Return a file's bytes as they were before they were compressed, if they were; no text begins so."""
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{name} is not installed here: pip install {name}", name=error.name
        ) from None


def flat_rows(data: bytes, file_format: str) -> list[dict[str, Any]]:
    """Return the rows of a JSON or JSON lines file, the inputs beside the columns."""
    if file_format not in ("json", "jsonl"):
        raise ValueError(
            f"A file of format {file_format} is not read here; take csv, json, jsonl or parquet."
        )
    listed = (
        json.loads(data or b"[]")
        if file_format == "json"
        else [json.loads(line) for line in data.splitlines()]
    )
    names = _name_inputs(listed)
    return [
        {**row["response"], **{names[name]: value for name, value in row["input"].items()}} for row in listed
    ]


def _name_inputs(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return what the inputs' columns are called: with a suffix where the response has one, as in CSV."""
    taken = {key for row in rows for key in row["response"]}
    names: dict[str, str] = {}
    for name in dict.fromkeys(name for row in rows for name in row["input"]):
        column, number = f"input.{name}", 2
        while column in taken:
            column, number = f"input.{name}_{number}", number + 1
        taken.add(column)
        names[name] = column
    return names
