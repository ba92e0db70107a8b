"""A vault's home: the directory with its settings and (unless told otherwise) its keys and objects. What is known of them
lies in the casebook's database."""

import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field

from underwing.casebook import times
from underwing.casebook.custody import Custody, Problem, Proof, Signer, Verifier, read_published, verify
from underwing.casebook.custody.checkpoints import Checkpoint
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.keys import KeyFile, Keys
from underwing.casebook.private import write_private
from underwing.casebook.vault.keeping import Keeping
from underwing.casebook.vault.retention import load_retention
from underwing.casebook.vault.store import ObjectStore
from underwing.casebook.vault.vault import Vault
from underwing.casebook.vault.verify import verify_vault

SETTINGS = "vault.toml"
_FIRST_SETTINGS = """\
# Paths are relative to this file. See docs/evidence.md.
version = 1
store = {store}  # a directory, or s3://bucket/prefix
key_file = {key_file}  # the key-encryption key: keep a copy elsewhere, without it nothing can be read
signing_key = {signing_key}  # signs the custody log
retention = {retention}  # a file of retention rules laid over the shipped ones

[store_options]             # for s3: endpoint, region, … (credentials come from the environment)
{options}"""


class VaultSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `vault.toml` says."""

    version: int = 1
    store: str = "objects"
    key_file: str = "vault.key"
    signing_key: str = "custody.key"
    retention: str = ""
    store_options: dict[str, str] = field(default_factory=dict)


class Home:
    """Everything of one vault, opened over the casebook's database. What a process that died had begun is finished first.

    `resume=False` is for looking only: everything stays as it lies, and a damaged log is `verify`'s to name.

    Raises:
        CasebookError: there is no vault, or a part of it cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        database: Database,
        *,
        clock: times.Clock = times.now,
        keys: Keys | None = None,
        resume: bool = True,
    ) -> None:
        self.settings = settings = _settings(directory)
        self.signer = Signer.of(directory / settings.signing_key)
        self.keys = keys or KeyFile(directory / settings.key_file)
        store = (
            ObjectStore.of(settings.store, settings.store_options)
            if "://" in settings.store
            else ObjectStore.directory(directory / settings.store)
        )
        self.clock = clock
        self.retention = load_retention(directory / settings.retention if settings.retention else None)
        self.directory, self.database = directory, database
        self.custody = Custody(self.database, self.signer, clock)
        opened = next(self.custody.records(), None) if resume else None
        if opened and opened.facts.get("key") != self.signer.public:
            raise CasebookError(
                f"{directory / settings.signing_key} is not the key that this custody log was opened with"
            )
        self.vault = Vault(self.database, store, self.keys, self.custody, clock=clock)
        self.keeping = Keeping(self.vault, self.retention, self.signer)
        if resume:
            self.vault.resume()

    @classmethod
    def make(
        cls,
        directory: Path,
        database: Database,
        *,
        store: str = "objects",
        key_file: str = "vault.key",
        signing_key: str = "custody.key",
        options: dict[str, str] | None = None,
    ) -> "Home":
        """A new vault: directory (mode 0700), settings, and the two keys where there are none yet.

        Raises:
            CasebookError: there is one already, the casebook belongs to another, or a file cannot be written.
        """
        if (directory / SETTINGS).exists():
            raise CasebookError(f"{directory} holds a vault already")
        if next(Custody(database, Signer.made()).entries(), None) is not None:
            raise CasebookError(f"{database.name} has a vault, which is not at {directory}; say where it is")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (directory / key_file).exists():
            KeyFile.make(directory / key_file)
        if not (directory / signing_key).exists():
            Signer.made().save(directory / signing_key)
        write_settings(directory / SETTINGS, VaultSettings(
            store=store, key_file=key_file, signing_key=signing_key, store_options=options or {}
        ))  # fmt: skip
        return cls(directory, database)

    @classmethod
    def ensure(cls, directory: Path, database: Database) -> "Home":
        """The vault in a directory, made where there is none."""
        return (cls if (directory / SETTINGS).exists() else cls.make)(directory, database)

    def secrets(self) -> dict[str, Path]:
        """The key files, by the names they have where nobody gave them others."""
        return {
            "vault.key": self.directory / self.settings.key_file,
            "custody.key": self.directory / self.settings.signing_key,
        }

    def verify(
        self, published: tuple[Path, ...] = (), public_key: str = "", contents: bool = True
    ) -> tuple[Proof, list[Problem]]:
        """Prove log and vault: (the log's proof, what is wrong in the vault). The vault is looked at when the log holds.

        `published` are files of checkpoints kept elsewhere, `public_key` the log's key as it was published; without it the
        key is the one that lies here, which proves nothing against whoever can change that.

        Raises:
            CasebookError: a file that cannot be read, or no such key.
        """
        verifier = Verifier(public_key or self.signer.public)
        proof = prove(self.custody, verifier, published, self.clock())
        if proof.problems:
            return proof, []
        return proof, list(verify_vault(self.vault, self.custody, verifier, contents))


def prove_log(
    where: str, public_key: str, published: tuple[Path, ...] = (), clock: times.Clock = times.now
) -> Proof:
    """Prove the log in a casebook, or in a copy of one, with nothing but its public key.

    Raises:
        CasebookError: a file that cannot be read, or no such key.
    """
    if "://" not in where and not Path(where).is_file():
        raise CasebookError(f"{where}: no such file")
    opened = Database(where, migrate=False)
    try:
        return prove(Custody(opened, Signer.made(), clock), Verifier(public_key), published, clock())
    finally:
        opened.close()


def prove(
    custody: Custody, verifier: Verifier, published: tuple[Path, ...] = (), now: datetime | None = None
) -> Proof:
    """Prove a log against its own checkpoints and those of some files. None of its times may lie after `now`."""
    checkpoints = [*_own(custody), *(known for path in published for known in _elsewhere(path))]
    return verify(custody.entries(), verifier, checkpoints, now)


def _own(custody: Custody) -> Iterator[tuple[str, Checkpoint | str]]:
    for number, checkpoint in enumerate(custody.checkpoints(), 1):
        yield f"checkpoint {number}", checkpoint


def _elsewhere(path: Path) -> Iterator[tuple[str, Checkpoint | str]]:
    for number, checkpoint in read_published(path):
        yield f"{path.name} line {number}", checkpoint


def _settings(directory: Path) -> VaultSettings:
    path = directory / SETTINGS
    try:
        made = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), VaultSettings)
    except FileNotFoundError:
        raise CasebookError(
            f"{directory} holds no vault; make one with: underwing vault init {directory}"
        ) from None
    except OSError as error:
        raise CasebookError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise CasebookError(f"{path}: {error}") from None
    if made.version != 1:
        raise CasebookError(f"{path}: version {made.version} is newer than this program")
    return made


def write_settings(path: Path, settings: VaultSettings) -> None:
    """The settings of a new vault as a file that says what each is.

    Raises:
        CasebookError: it exists, or cannot be written.
    """
    options = "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.store_options.items())
    filled = _FIRST_SETTINGS.format(
        store=_quoted(settings.store), key_file=_quoted(settings.key_file), options=options,
        signing_key=_quoted(settings.signing_key), retention=_quoted(settings.retention),
    )  # fmt: skip
    write_private(path, filled.encode())


def _quoted(text: str) -> str:
    """A TOML string."""
    return msgspec.json.encode(text).decode()
