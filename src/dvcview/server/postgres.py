"""The project's own PostgreSQL: one folder with one socket in it, no password, no port.

Only the user who created it may use the database. PostgreSQL asks the operating system
which user is at the other end of the socket (`peer`), so there is no secret to store.
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

FOLDER = "DVCVIEW_POSTGRES"
DRIVER = "postgresql+psycopg2"  # without the name of a driver, SQLAlchemy 2.1 uses another one
NAME = "mlflow"  # the database, and the role that owns it
SUPERUSER = "postgres"
SYSTEM_USER = "postgres"  # created by Debian's package
DEBIAN = Path("/usr/lib/postgresql")  # Debian does not put these programs on PATH
LONGEST_SOCKET = 103  # bytes of its path; Linux allows 107
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '.'
unix_socket_permissions = 0700
"""


def database_folder(root: Path) -> Path:
    """The folder of the cluster: `DVCVIEW_POSTGRES`, or `.dvcview/postgres` in the project."""
    return (root / (os.environ.get(FOLDER) or ".dvcview/postgres")).absolute()


def database_url(folder: Path, role: str = NAME, database: str = NAME) -> URL:
    """The address of a database of the cluster, for SQLAlchemy."""
    from sqlalchemy import URL

    socket = {"host": str(folder / "data")}
    return URL.create(DRIVER, username=role, database=database, query=socket)


def run_database(root: Path, action: str) -> None:
    """Run the command `database start` or `database stop`."""
    folder = database_folder(root)
    if action == "start":
        start_database(folder)
        print(f"PostgreSQL is running in {folder}; `dvcview database stop` stops it")
    elif stop_database(folder):
        print("PostgreSQL has stopped")
    else:
        print(f"PostgreSQL is not running in {folder}")


def start_database(folder: Path) -> None:
    """Start the cluster, and create it first if necessary. A running cluster keeps running.

    Raises:
        UserError: PostgreSQL is not installed or does not start, or the folder is not usable.
    """
    programs = _program_folder()
    if len(os.fsencode(folder / "data" / ".s.PGSQL.5432")) > LONGEST_SOCKET:
        raise UserError(
            f"the path {folder} is too long for a socket; choose a shorter one: {FOLDER}=FOLDER"
        )
    _make_folder(folder)
    if not (folder / "data").exists():
        _create_cluster(programs, folder)
    if not _is_running(programs, folder):
        log = folder / "log"
        started = _run(
            programs / "pg_ctl", "start", "--wait", f"--pgdata={folder / 'data'}", f"--log={log}"
        )
        if started.returncode:
            raise UserError(f"PostgreSQL did not start; see {log}")
    _create_database(folder)


def stop_database(folder: Path) -> bool:
    """Stop the cluster; returns False if it is not running.

    Raises:
        UserError: PostgreSQL is not installed or does not stop.
    """
    programs = _program_folder()
    if not _is_running(programs, folder):
        return False
    stopped = _run(programs / "pg_ctl", "stop", "--mode=fast", f"--pgdata={folder / 'data'}")
    if stopped.returncode:
        raise UserError(f"PostgreSQL did not stop; see {folder / 'log'}")
    return True


def _program_folder() -> Path:
    """The folder of PostgreSQL's server programs: on PATH, or Debian's newest version."""
    pg_ctl = shutil.which("pg_ctl")
    if pg_ctl:
        return Path(pg_ctl).resolve().parent
    folders = [file.parent for file in DEBIAN.glob("*/bin/pg_ctl")]
    if not folders:
        raise UserError(
            "PostgreSQL was not found (no pg_ctl on PATH); install your system's package "
            "(Debian, Ubuntu: postgresql), or set a database: DVCVIEW_DATABASE=postgresql://..."
        )
    return max(folders, key=lambda folder: float(folder.parent.name))


def _make_folder(folder: Path) -> None:
    """Create the folder, owned by PostgreSQL's user and closed to all others."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        server_user = _server_user()
        if server_user:
            shutil.chown(folder, server_user, server_user)
    except OSError as error:
        raise UserError(
            f"{folder}: {error.strerror}; choose another folder: {FOLDER}=FOLDER"
        ) from None
    if _run("test", "-w", folder).returncode:
        raise UserError(
            f"PostgreSQL runs as the system user {SYSTEM_USER} when you are root, and that user "
            f"cannot write to {folder}; choose another folder: {FOLDER}=FOLDER"
        )


def _create_cluster(programs: Path, folder: Path) -> None:
    """Create the cluster under a temporary name, so that no interruption leaves half a cluster."""
    partial = folder / "data.new"
    shutil.rmtree(partial, ignore_errors=True)
    done = _run(
        programs / "initdb", f"--pgdata={partial}", f"--username={SUPERUSER}", "--auth=peer",
        "--encoding=UTF8", "--no-locale", "--no-instructions",
    )  # fmt: skip
    if done.returncode:
        reason = (done.stderr.splitlines() or ["no reason given"])[0]
        raise UserError(f"PostgreSQL cannot create a cluster in {folder}: {reason}")
    user = pwd.getpwuid(os.geteuid()).pw_name
    files = {
        "pg_hba.conf": "local all all peer map=dvcview\n",
        "pg_ident.conf": f'dvcview "{user}" {SUPERUSER}\ndvcview "{user}" {NAME}\n',
        "postgresql.conf": (partial / "postgresql.conf").read_text(encoding="utf-8") + SETTINGS,
    }
    for name, content in files.items():
        (partial / name).write_text(content, encoding="utf-8")
    partial.rename(folder / "data")


def _create_database(folder: Path) -> None:
    """Create the database and its role. The role is not a superuser, as MLflow needs none."""
    from sqlalchemy import create_engine, text

    queries = {
        f"CREATE ROLE {NAME} LOGIN": f"SELECT FROM pg_roles WHERE rolname = '{NAME}'",
        f"CREATE DATABASE {NAME} OWNER {NAME}": f"SELECT FROM pg_database WHERE datname = '{NAME}'",
    }
    # PostgreSQL cannot create a database within a transaction.
    engine = create_engine(
        database_url(folder, SUPERUSER, "postgres"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for create, find in queries.items():
            if connection.execute(text(find)).first() is None:
                connection.execute(text(create))
    engine.dispose()


def _server_user() -> str | None:
    """The system user that PostgreSQL runs as if the caller is root; None for other callers.

    PostgreSQL does not run as root.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_name
    except KeyError:
        raise UserError(
            f"PostgreSQL does not run as root, and there is no system user {SYSTEM_USER} to run "
            "it as; run this command as an ordinary user, or install your system's PostgreSQL "
            "package"
        ) from None


def _is_running(programs: Path, folder: Path) -> bool:
    return _run(programs / "pg_ctl", "status", f"--pgdata={folder / 'data'}").returncode == 0


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program as PostgreSQL's user, in `/`, because that user can enter it."""
    server_user = _server_user()
    return subprocess.run(
        command, cwd="/",
        user=server_user, group=server_user, extra_groups=[] if server_user else None,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
