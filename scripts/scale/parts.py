"""A job in parts: what is classified, in pieces that one worker does at a time, whoever hands these out.

A part is some paths of a list, a tar, or a row group of a Parquet file. It knows where its inputs are, not what they
are, so that a plan of a billion images is small enough for the machine that makes it.
"""

from __future__ import annotations

import errno
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow.parquet as pq

from scripts.scale.image import Image, Problem, shown

EXTENSIONS = frozenset(("bmp", "gif", "jfif", "jpeg", "jpg", "png", "tif", "tiff", "webp"))
"""Of what `senet classify` takes for an image in a folder."""

TARS = (".tar", ".tar.gz", ".tgz")
PARQUET = ".parquet"

LARGEST = 2 << 30
"""Bytes of an image in a tar: what the program lets all images take together."""

ROWS_AT_A_TIME = 64
"""Of a row group in memory."""


@dataclass(frozen=True)
class Part:
    """A piece of a job.

    Attributes:
        kind: what it is a piece of.
        source: that file.
        start: the byte of the list where its first path begins, or the number of the row group.
        inputs: how many there are, where that is known before they are read.
    """

    kind: Literal["paths", "tar", "parquet"]
    source: str
    start: int = 0
    inputs: int | None = None


@dataclass(frozen=True)
class Columns:
    """Those of Parquet files: of the images' bytes, and of their names; found where they are not given."""

    content: str | None = None
    name: str | None = None


def is_image(path: Path) -> bool:
    return path.suffix[1:].lower() in EXTENSIONS


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith((*TARS, PARQUET))


def files_of(argument: Path) -> Iterator[Path]:
    """The file that is named, or the images, tars and Parquet files in a folder, in the order of their names.

    Raises:
        OSError: a folder cannot be read: nobody could say what is missing.
    """
    if not argument.is_dir():
        yield argument
        return

    def fail(error: OSError) -> None:
        raise error

    seen = set()
    for folder, folders, files in os.walk(argument, onerror=fail, followlinks=True):
        here = Path(folder)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (here / name for name in sorted(files) if is_image(Path(name)) or is_archive(Path(name)))


def parts_of(files: Iterable[Path], list_file: Path, rows: int) -> Iterator[Part]:
    """The parts that files make; the paths of images are written to `list_file`, each ended by a NUL byte.

    Args:
        files: images, tars and Parquet files.
        list_file: where those who read parts find the paths.
        rows: images of files in a part.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: it is no Parquet file.
    """
    with list_file.open("wb") as paths:
        start, inputs = 0, 0
        for file in files:
            name = file.name.lower()
            if name.endswith(PARQUET):
                for group, of_group in enumerate(row_groups(file)):
                    yield Part("parquet", str(file), group, of_group)
            elif name.endswith(TARS):
                # One that is not there is an error now, not after hours.
                file.stat()
                yield Part("tar", str(file))
            else:
                paths.write(os.fsencode(file) + b"\0")
                inputs += 1
                if inputs == rows:
                    yield Part("paths", str(list_file), start, inputs)
                    start, inputs = paths.tell(), 0
        if inputs:
            yield Part("paths", str(list_file), start, inputs)


def row_groups(file: Path) -> list[int]:
    """The rows of each row group."""
    with pq.ParquetFile(file) as opened:
        metadata = opened.metadata
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def images_of(part: Part, columns: Columns) -> Iterator[Image]:
    """The inputs of a part, in order.

    Raises:
        OSError: its file cannot be read.
        ValueError: its file is not what it was.
    """
    if part.kind == "tar":
        return of_tar(part.source)
    if part.kind == "parquet":
        return of_row_group(part, columns)
    return of_list(part)


def of_list(part: Part) -> Iterator[Image]:
    with Path(part.source).open("rb") as paths:
        paths.seek(part.start)
        rest = b""
        for _ in range(part.inputs or 0):
            while (end := rest.find(b"\0")) < 0:
                if not (more := paths.read(1 << 16)):
                    raise ValueError(f"`{part.source}` ends before its last path")
                rest += more
            path, rest = rest[:end], rest[end + 1 :]
            name = os.fsdecode(path)
            yield Image(shown(name), Path(name))


def of_tar(name: str) -> Iterator[Image]:
    """The members of a tar that are called as images are; one more, with a problem, where the tar is torn."""
    shown_name = shown(name)
    try:
        # Not as a stream, which would read to the end of whatever size a member claims, even past the file's.
        with tarfile.open(name, errors="surrogateescape") as archive:
            # Kept for who asks by name, and would be all of them.
            kept: list[tarfile.TarInfo] = vars(archive)["members"]
            while member := archive.next():
                kept.clear()
                if is_image(Path(member.name)) and not member.isdir():
                    yield Image(f"{shown_name}/{shown(member.name)}", content_of(archive, member))
            # At what is no header but the first, tarfile ends as if all were well.
            file: IO[bytes] = vars(archive)["fileobj"]
            file.seek(vars(archive)["offset"])
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("it has no end, or something else where a member should begin")
    except (tarfile.TarError, zlib.error, EOFError, OSError, OverflowError, ValueError) as error:
        # What a disk or network says has a number, and may be over when the part is tried again.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        yield Image(shown_name, Problem(f"the archive cannot be read to its end: {error}"))


def content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | Problem:
    if not member.isfile():
        return Problem("a link, device or pipe; expected a file")
    # A sparse file is as large as it says, whatever the archive holds.
    if member.size > LARGEST or member.issparse():
        what = "sparse file" if member.issparse() else "file"
        return Problem(f"a {what} of {member.size:,} bytes; expected an image of at most {LARGEST:,}")
    content = archive.extractfile(member)
    assert content is not None
    return content.read()


def of_row_group(part: Part, columns: Columns) -> Iterator[Image]:
    with pq.ParquetFile(part.source) as file:
        content, name = columns_of(file, part.source, columns)
        before = sum(file.metadata.row_group(group).num_rows for group in range(part.start))
        wanted = sorted({content.partition(".")[0], name.partition(".")[0]} - {""})
        batches = file.iter_batches(ROWS_AT_A_TIME, row_groups=[part.start], columns=wanted)
        row = before
        for batch in batches:
            rows = batch.to_pydict()
            for index in range(batch.num_rows):
                found = value_of(rows, name, index)
                yield Image(
                    found if isinstance(found, str) and found else f"{shown(part.source)}#{row}",
                    bytes_of(value_of(rows, content, index)),
                )
                row += 1


def value_of(rows: dict[str, list[Any]], column: str, index: int) -> Any:
    """A value of a column, or of a field of it where the name has a dot."""
    outer, _, inner = column.partition(".")
    if not outer:
        return None
    value = rows[outer][index]
    return value.get(inner) if inner and isinstance(value, dict) else value


def bytes_of(value: Any) -> bytes | Problem:
    return value if isinstance(value, bytes) else Problem("the row has no bytes of an image")


def columns_of(file: pq.ParquetFile, source: str, columns: Columns) -> tuple[str, str]:
    """Where the bytes of images and their names are: `column`, or `column.field`; names may be nowhere.

    Without being told, bytes are what is the only such column, a field `bytes` of which `path` is the name included,
    as Hugging Face's datasets have it.

    Raises:
        ValueError: there is no such column, or there are several.
    """
    types: dict[str, Any] = {}
    for column in file.schema_arrow:
        types[column.name] = column.type
        if column.type.num_fields and hasattr(column.type, "fields"):
            types |= {f"{column.name}.{field.name}": field.type for field in column.type.fields}
    of_bytes = [name for name, kind in types.items() if str(kind) in ("binary", "large_binary", "binary_view")]
    content = columns.content or (of_bytes[0] if len(of_bytes) == 1 else None)
    if content not in of_bytes:
        found = ", ".join(f"`{name}`" for name in of_bytes) or "none"
        asked = f"`{columns.content}`" if columns.content else "one"
        raise ValueError(f"`{source}`: expected {asked} among its columns of bytes, found {found}")
    name = columns.name
    if name is None:
        beside = f"{content.removesuffix('.bytes')}.path"
        name = beside if beside in types else ""
    elif str(types.get(name)) not in ("string", "large_string", "string_view"):
        raise ValueError(f"`{source}`: expected a column `{name}` of text, found {types.get(name, 'none')}")
    return content, name
