"""Reads rows of a table with prompts: CSV, a JSON list, Parquet, or a dataset that Hugging Face datasets saved."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import msgspec

from padcheck.core.errors import UsageError

Rows = Iterable[Mapping[str, Any]]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def delimiter_of(name: str, text: str, columns: Set[str]) -> str | None:
    """The delimiter of CSV, by the file's name or by one of these columns in its first line; None for other text."""
    suffix = Path(name).suffix.lower()
    if suffix in _DELIMITERS or suffix == ".txt":  # a prompt may begin like a header
        return _DELIMITERS.get(suffix)
    header = text.partition("\n")[0]
    return next((each for each in _DELIMITERS.values() if each in header and set(header.split(each)) & columns), None)


def csv_rows(name: str, text: str, delimiter: str) -> Rows:
    """The rows of CSV or TSV, whose first line names the columns.

    Raises:
        UsageError: A line cannot be parsed.
    """
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [column.strip() for column in next(lines, [])]
        yield from (dict(zip(columns, cells, strict=False)) for cells in lines if cells)
    except csv.Error as error:
        raise UsageError(
            f"Line {lines.line_num} of {name} cannot be read as CSV: {error}.",
            change="Write one row per line, with quotes around a text that has a delimiter, a quote or a line end.",
        ) from error


def json_rows(name: str, text: str) -> Rows:
    """The objects of a JSON list.

    Raises:
        UsageError: It is not a list of objects.
    """
    try:
        return msgspec.json.decode(text, type=list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise UsageError(
            f"{name} is not a JSON list of objects: {error}.", change='Write [{"prompt": "..."}, ...].'
        ) from error


def parquet_rows(file: Path, column: str | None) -> Rows:
    """The rows of a Parquet file, with only this column if it exists.

    Raises:
        UsageError: pyarrow is not installed, or cannot read the file.
    """
    parquet = _pyarrow(file, "parquet")
    with _Explained(file), parquet.ParquetFile(file) as opened:
        columns = [column] if column in opened.schema_arrow.names else None
        for batch in opened.iter_batches(columns=columns):
            yield from batch.to_pylist()


def dataset_rows(folder: Path, column: str | None) -> Rows:
    """The rows of a folder that Dataset.save_to_disk() wrote, with only this column if it exists.

    Raises:
        UsageError: The folder is no such dataset or has several splits, or pyarrow is missing or cannot read it.
    """
    ipc = _pyarrow(folder, "ipc")
    with _Explained(folder):
        for file in _arrow_files(folder):
            with ipc.open_stream(file) as opened:
                for batch in opened:
                    chosen = batch.select([column]) if column in batch.schema.names else batch
                    yield from chosen.to_pylist()


def _arrow_files(folder: Path) -> Iterator[Path]:
    splits = folder / "dataset_dict.json"
    if splits.is_file():
        names = msgspec.json.decode(splits.read_bytes())["splits"]
        if len(names) > 1:
            raise UsageError(
                f"{folder} is a dataset with several splits: {', '.join(names)}.",
                change=f"Name one of them: {folder / names[0]}",
            )
        folder /= names[0]
    state = folder / "state.json"
    if not state.is_file():
        raise UsageError(
            f"{folder} is a folder, but no dataset: it has no state.json.",
            change="Give a file, or a folder that Dataset.save_to_disk() wrote.",
        )
    for file in msgspec.json.decode(state.read_bytes())["_data_files"]:
        yield folder / file["filename"]


class _Explained:
    """Turns any error while a file is read into a usage error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, UsageError):
            raise UsageError(
                f"{self._path} cannot be read: {str(error) or type(error).__name__}",
                meaning="It is damaged, or has another format than its name says.",
                change="Write it again, or export the prompts as JSONL.",
            ) from error


def _pyarrow(path: Path, module: str) -> Any:
    try:
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            f"Reading prompts from {path} needs pyarrow, which is not installed.",
            change="Run: pip install 'padcheck[data]'",
        ) from error
    return getattr(pyarrow, module)
