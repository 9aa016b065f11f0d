"""A PostgreSQL of the project's own: one folder, one socket in it, no password, no port.

Whoever may enter the folder may use the database: the system tells PostgreSQL who is at the other
end of a socket (`peer`), so there is no secret to keep.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from dvcview.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy import URL

FOLDER = "DLVC_POSTGRES"
DRIVER = "postgresql+psycopg2"  # without a driver's name, SQLAlchemy 2.1 takes another one
NAME = "mlflow"  # of the database, and of the role that owns it
SUPERUSER = "postgres"
SYSTEM_USER = "postgres"  # Debian's package makes it
DEBIAN = Path("/usr/lib/postgresql")  # which does not put these programs on PATH
LONGEST_SOCKET = 103  # bytes; Linux takes 107
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '.'
unix_socket_permissions = 0700
"""


def database_folder(root: Path) -> Path:
    """Where the cluster is: `.dlvc/postgres` in the project, or what `DLVC_POSTGRES` says."""
    return (root / (os.environ.get(FOLDER) or ".dlvc/postgres")).absolute()


def database_url(folder: Path, role: str = NAME, database: str = NAME) -> URL:
    """The address of a database of the cluster, as SQLAlchemy understands it."""
    from sqlalchemy import URL

    socket = {"host": str(folder / "data")}
    return URL.create(DRIVER, username=role, database=database, query=socket)


def run_database(root: Path, action: str) -> int:
    """`dlvc database start` and `dlvc database stop`."""
    folder = database_folder(root)
    if action == "start":
        start_database(folder)
        print(f"PostgreSQL runs in {folder}; `make database-stop` ends it")
    elif stop_database(folder):
        print("PostgreSQL has stopped")
    else:
        print(f"no PostgreSQL runs in {folder}")
    return 0


def start_database(folder: Path) -> None:
    """Start the cluster, after making it if it is not there; harmless when it runs already."""
    programs = _programs()
    if len(os.fsencode(folder / "data" / ".s.PGSQL.5432")) > LONGEST_SOCKET:
        raise UserError(
            f"the path {folder} is too long for a socket; name a shorter one: {FOLDER}=FOLDER"
        )
    _make_folder(folder)
    if not (folder / "data").exists():
        _create(programs, folder)
    if not _runs(programs, folder):
        log = folder / "log"
        started = _run(
            programs / "pg_ctl", "start", "--wait", f"--pgdata={folder / 'data'}", f"--log={log}"
        )
        if started.returncode:
            raise UserError(f"PostgreSQL did not start; {log} says why")
    _create_database(folder)


def stop_database(folder: Path) -> bool:
    """Stop the cluster; False if it does not run."""
    programs = _programs()
    if not _runs(programs, folder):
        return False
    stopped = _run(programs / "pg_ctl", "stop", "--mode=fast", f"--pgdata={folder / 'data'}")
    if stopped.returncode:
        raise UserError(f"PostgreSQL did not stop; {folder / 'log'} says why")
    return True


def _programs() -> Path:
    """The folder of PostgreSQL's server programs; of Debian's, the newest version."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    packaged = [file.parent for file in DEBIAN.glob("*/bin/pg_ctl")]
    if not packaged:
        raise UserError(
            "PostgreSQL is not found (no pg_ctl on PATH); install your system's package "
            "(Debian, Ubuntu: postgresql), or name a database: DLVC_DATABASE=postgresql://..."
        )
    return max(packaged, key=lambda programs: float(programs.parent.name))


def _make_folder(folder: Path) -> None:
    """A folder that nobody else can enter, of the user that PostgreSQL runs as."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = _other_user()
        if user:
            shutil.chown(folder, user, user)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; name another place: {FOLDER}=...") from None
    if _run("test", "-w", folder).returncode:
        raise UserError(
            f"PostgreSQL runs as the system user {SYSTEM_USER} when you are root, and that user "
            f"cannot reach {folder}; name another place: {FOLDER}=..."
        )


def _create(programs: Path, folder: Path) -> None:
    """Make the cluster aside and rename it, so that an interrupted start leaves none half-made."""
    aside = folder / "data.new"
    shutil.rmtree(aside, ignore_errors=True)
    made = _run(
        programs / "initdb", f"--pgdata={aside}", f"--username={SUPERUSER}", "--auth=peer",
        "--encoding=UTF8", "--no-locale", "--no-instructions",
    )  # fmt: skip
    if made.returncode:
        reason = (made.stderr.splitlines() or ["no reason given"])[0]
        raise UserError(f"PostgreSQL cannot make a cluster in {folder}: {reason}")
    me = pwd.getpwuid(os.geteuid()).pw_name
    files = {
        "pg_hba.conf": "local all all peer map=dlvc\n",
        "pg_ident.conf": f'dlvc "{me}" {SUPERUSER}\ndlvc "{me}" {NAME}\n',
        "postgresql.conf": (aside / "postgresql.conf").read_text(encoding="utf-8") + SETTINGS,
    }
    for name, content in files.items():
        (aside / name).write_text(content, encoding="utf-8")
    aside.rename(folder / "data")


def _create_database(folder: Path) -> None:
    """The role and the database; a role of their own, because MLflow needs no superuser."""
    from sqlalchemy import create_engine, text

    wanted = {
        f"CREATE ROLE {NAME} LOGIN": f"SELECT FROM pg_roles WHERE rolname = '{NAME}'",
        f"CREATE DATABASE {NAME} OWNER {NAME}": f"SELECT FROM pg_database WHERE datname = '{NAME}'",
    }
    # A database cannot be made within a transaction.
    engine = create_engine(
        database_url(folder, SUPERUSER, "postgres"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for create, find in wanted.items():
            if connection.execute(text(find)).first() is None:
                connection.execute(text(create))
    engine.dispose()


def _other_user() -> str | None:
    """As whom PostgreSQL runs if not as the caller: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_name
    except KeyError:
        raise UserError(
            f"PostgreSQL does not run as root, and there is no system user {SYSTEM_USER} to run "
            "it as; call this as an ordinary user, or install your system's package of PostgreSQL"
        ) from None


def _runs(programs: Path, folder: Path) -> bool:
    return _run(programs / "pg_ctl", "status", f"--pgdata={folder / 'data'}").returncode == 0


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program as the user that PostgreSQL runs as, in a folder that this user can enter."""
    other = _other_user()
    return subprocess.run(
        command, user=other, group=other, extra_groups=[] if other else None, cwd="/",
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
