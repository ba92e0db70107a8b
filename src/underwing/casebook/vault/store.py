"""The object store: a directory, or a bucket of any service that speaks S3, GCS or Azure, by `obstore`.

Names are written once: every put asks the store to refuse a name that exists (`O_EXCL`-like on a directory, `If-None-Match`
on S3). Objects are small (one segment), so that a conditional put never needs the whole of a large file in memory.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, from_url

from underwing.casebook.database import CasebookError
from underwing.casebook.private import sync_directory

_PAGE = 1_000


class StoreFailed(CasebookError):
    """The object store refused or cannot be reached."""

    key = "store_failed"


class Exists(CasebookError):
    """The name is taken already."""

    key = "store_failed"


class Missing(CasebookError):
    """There is no such name."""

    key = "tampered"


class ObjectStore:
    """Put once, get, list and remove, with the errors above."""

    def __init__(self, store: obstore.store.ObjectStore, root: Path | None = None) -> None:
        self._store, self._root = store, root

    @classmethod
    def directory(cls, path: Path) -> "ObjectStore":
        """A store in a local directory, made (mode 0700) if missing; what was put is on the disk."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(path.resolve()), path.resolve())

    @classmethod
    def of(cls, url: str, options: Mapping[str, str] | None = None) -> "ObjectStore":
        """The store at `s3://bucket/prefix` (or `gs://`, `az://`), with obstore's options for it, such as `endpoint`.

        Credentials come from the environment (`AWS_ACCESS_KEY_ID` …) or the machine's role, never from our files.

        Raises:
            CasebookError: not such an address, or options it does not know.
        """
        try:
            plain = {k: v for k, v in (options or {}).items() if k != "allow_http"}
            client = {"allow_http": True} if (options or {}).get("allow_http") == "true" else {}
            made = from_url(url, config=plain, client_options=client)  # type: ignore[call-overload]
            return cls(made)
        except (BaseError, ValueError) as error:
            raise CasebookError(f"{url} cannot be used as a store: {_short(error)}", "store_failed") from None

    def put(self, name: str, body: bytes) -> None:
        """Write a new name, whole or not at all.

        Raises:
            Exists: the name is taken.
            StoreFailed: it could not be written.
        """
        try:
            obstore.put(self._store, name, body, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            raise Exists(f"{name} exists already in the store") from None
        except (BaseError, OSError) as error:
            raise StoreFailed(f"the store did not take {name}: {_short(error)}") from None
        if self._root:
            self._sync(self._root / name)

    def get(self, name: str, most: int) -> bytes:
        """All bytes under a name, at most `most`.

        Raises:
            Missing: there is nothing.
            StoreFailed: it could not be read, or it is longer.
        """
        try:
            found = obstore.get(self._store, name)
            if found.meta["size"] > most:
                raise StoreFailed(
                    f"{name} in the store is {found.meta['size']} bytes long, at most {most} were put"
                )
            return bytes(found.bytes())
        except FileNotFoundError:
            raise Missing(f"{name} is missing from the store") from None
        except (BaseError, OSError) as error:
            raise StoreFailed(f"the store did not give {name}: {_short(error)}") from None

    def names(self, prefix: str = "") -> Iterator[str]:
        """All names under a folder, or all."""
        try:
            for page in obstore.list(self._store, prefix=prefix or None, chunk_size=_PAGE):
                yield from (meta["path"] for meta in page)
        except (BaseError, OSError) as error:
            raise StoreFailed(f"the store cannot be listed: {_short(error)}") from None

    def remove(self, folder: str) -> None:
        """Remove everything under a folder; what is gone already is no error."""
        names = list(self.names(folder))
        try:
            for start in range(0, len(names), _PAGE):
                obstore.delete(self._store, names[start : start + _PAGE])
        except FileNotFoundError:
            pass
        except (BaseError, OSError) as error:
            raise StoreFailed(f"the store did not remove {folder}: {_short(error)}") from None
        if self._root:
            shutil.rmtree(self._root / folder, ignore_errors=True)
            sync_directory(
                (self._root / folder).parent if (self._root / folder).parent.is_dir() else self._root
            )

    def _sync(self, path: Path) -> None:
        """The file and the folders above it, to the disk (the library leaves that to the system)."""
        assert self._root
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        for folder in path.parents:
            sync_directory(folder)
            if folder == self._root:
                return


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
