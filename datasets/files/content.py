"""What is in a file, by its first bytes: unpacked if it is packed, and named if it is nothing that trains."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Literal

from datasets.files.tables import override
from datasets.types import DataError

Content = Literal["text", "parquet", "arrow", "xlsx", "hdf5", "npz", "npy", "mat", "xls"]

STARTS: tuple[tuple[bytes, Content], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "arrow"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"MATLAB 5.0", "mat"),
    (b"\xd0\xcf\x11\xe0", "xls"),
)
PACKED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError)


def content_of(path: Path) -> tuple[Content, bytes | None]:
    """What kind of file this is, and its bytes where they had to be unpacked (else None).

    Raises DataError for what cannot be a table, with the way out.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    if not start:
        raise DataError(f"{path} is empty; expected a line with the names of the columns, and rows below.")
    for mark, unpack in PACKED.items():
        if start.startswith(mark):
            try:
                inside = unpack(path.read_bytes())
            except DAMAGE as error:
                raise DataError(
                    f"{path} is damaged: it cannot be unpacked ({error}). Fetch or pack it again."
                ) from None
            return kind_of(inside[:4096], path), inside
    if start.startswith(b"PK\x03\x04"):
        return _zipped(path)
    return kind_of(start, path), None


def kind_of(start: bytes, path: Path) -> Content:
    """The kind of what begins with these bytes; DataError for what is never a table."""
    for mark, kind in STARTS:
        if start.startswith(mark):
            return kind
    if b"HDF\r\n\x1a\n" in start[:1024] or (start[512:520] == b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        raise DataError(
            f"{path} is a web page and no table: the download brought an error page or the page about the file. "
            "Fetch the file itself (on GitHub, the link that says raw)."
        )
    if head.startswith(b"version https://git-lfs"):
        raise DataError(f"{path} is a pointer of git LFS and not the file itself. Fetch it with: git lfs pull")
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        raise DataError(
            f"{path} is a pickle, and reading one can run code, so it is never read here. Where you trust it, write "
            f"it as a table: python -c \"import pandas; pandas.read_pickle('{path}').to_parquet('{path}.parquet')\", "
            f"then {override('path', f'{path}.parquet')}"
        )
    if start.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM6")):
        raise DataError(f"{path} is one picture; a set of them is a folder for each class: dataset=images.")
    if start.startswith(b"%PDF"):
        raise DataError(f"{path} is a PDF; expected a table, for instance as csv.")
    return "text"


def _zipped(path: Path) -> tuple[Content, bytes | None]:
    """A zip may be an Excel file, an archive of NumPy's, or one packed file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if "xl/workbook.xml" in names:
                return "xlsx", None
            if names and all(name.endswith(".npy") for name in names):
                return "npz", None
            if len(names) != 1:
                raise DataError(
                    f"{path} packs {len(names)} files ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}); "
                    "expected one. Unpack it, and name one of them in dataset.path."
                )
            inside = archive.read(names[0])
    except DAMAGE as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is damaged: it cannot be unpacked ({error}). Fetch or pack it again.") from None
    return kind_of(inside[:4096], path), inside


def decoded(raw: bytes, encoding: str, path: Path, notes: list[str]) -> str:
    """The text that the bytes are: by its mark, in UTF-8, else as Windows wrote it, which is said."""
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if encoding == "auto" and raw.startswith(mark):
            encoding = name
    if encoding == "auto" and b"\0" in raw[:4096]:
        half = raw[:4096]
        if half[1::2].count(0) > len(half) // 4 or half[::2].count(0) > len(half) // 4:
            encoding = "utf-16-le" if half[1::2].count(0) > half[::2].count(0) else "utf-16-be"
        else:
            raise DataError(f"{path} is no text: it has zero bytes. {EXPECTED}")
    if encoding not in ("auto", "utf-8"):
        try:
            return raw.decode(encoding)
        except LookupError:
            raise DataError(
                f"dataset.encoding must be auto or an encoding that Python knows. Got {encoding!r}."
            ) from None
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not text in {encoding} ({error}). Try dataset.encoding=auto.") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding == "utf-8":
            raise DataError(
                f"{path} is not text in UTF-8 ({error}). dataset.encoding=cp1252 reads it as Windows wrote it."
            ) from None
        strange = sum(byte < 9 or 13 < byte < 32 for byte in raw[:4096])
        if strange > len(raw[:4096]) // 20:
            raise DataError(
                f"{path} is no text: every {4096 // strange}th byte is a sign of control. {EXPECTED}"
            ) from None
        name = "cp1252"
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            name, text = "latin-1", raw.decode("latin-1")
        notes.append(f"{path} is not in UTF-8; read as {name} (dataset.encoding says otherwise).")
        return text


EXPECTED = "Expected a table: text, parquet, feather, json lines or Excel."


def opened(path: Path, inside: bytes | None) -> io.BytesIO | Path:
    """What a library reads from."""
    return path if inside is None else io.BytesIO(inside)
