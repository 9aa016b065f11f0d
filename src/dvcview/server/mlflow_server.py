"""MLflow's server for a team.

It has a PostgreSQL database and stores the artifacts itself. When it answers a
request, the data is stored: PostgreSQL has committed it, or the file is in the artifact folder. The
server process itself holds no data.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dvcview.errors import UserError
from dvcview.server.postgres import DRIVER, database_folder, database_url

if TYPE_CHECKING:
    from sqlalchemy import URL

LOOPBACK = "127.0.0.1"
DATABASE = "DVCVIEW_DATABASE"
FORM = "postgresql://USER:PASSWORD@HOST/NAME (with %40 for @, %2F for /, %25 for %)"

# Environment variables of MLflow.
USERNAME = "MLFLOW_AUTH_ADMIN_USERNAME"
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # noqa: S105
SECRET_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"  # noqa: S105
ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"
SHORTEST_PASSWORD = 12  # characters; MLflow's limit
KNOWN_PASSWORD = "password1234"  # noqa: S105  (the default of older MLflow versions)
CLOSED = {
    # The server starts no program for a request, loads no pickle from a client, and sends no data
    # to third parties.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
    "MLFLOW_ENABLE_ASSISTANT_SANDBOX": "true",  # the assistant runs only in a container
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
# Variables that are for clients, or that would make another server of this one.
DROPPED = (
    "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_REGISTRY_STORE_URI", "MLFLOW_ARTIFACTS_ONLY", "MLFLOW_UVICORN_OPTS",
    "MLFLOW_GUNICORN_OPTS", "MLFLOW_WAITRESS_OPTS",
)  # fmt: skip


def serve(root: Path, host: str, port: str) -> NoReturn:
    """Check the settings, then replace this process by MLflow's server.

    Secrets are passed in the environment and in files of mode 0600. They are not passed on the
    command line, because every user of the machine can read it.

    Raises:
        UserError: the password, the host, the port or the database is not usable.
    """
    password = _admin_password(host)
    check_address(host, port)
    url = _database_address(root)
    _check_database(url)

    private = root / ".dvcview" / "server"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = server_environment()
    environment["MLFLOW_BACKEND_STORE_URI"] = url.render_as_string(hide_password=False)
    environment.setdefault(ARTIFACTS, str(root / ".dvcview" / "artifacts"))
    options = ["--serve-artifacts"]
    if password:
        options += ["--app-name", "basic-auth"]
        environment |= _authentication_settings(private, url)
    print(f"MLflow: http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C stops it)")
    _become_server(host, port, options, environment)


def server_environment() -> dict[str, str]:
    """The environment without variables for clients, with the settings that close the server."""
    return {name: value for name, value in os.environ.items() if name not in DROPPED} | CLOSED


def _become_server(
    host: str, port: str, options: Sequence[str], environment: Mapping[str, str]
) -> NoReturn:
    # One worker: if several start at once on slow cores, all of them are considered dead.
    command = [
        sys.executable, "-P", "-m", "mlflow", "server",
        "--host", host, "--port", port, "--workers", "1", *options,
    ]  # fmt: skip
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; False for unknown host names."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _admin_password(host: str) -> str | None:
    """The administrator's password; optional if only this machine can reach the server."""
    password = os.environ.get(PASSWORD)
    advice = f"set {PASSWORD} to at least {SHORTEST_PASSWORD} characters"
    if not password:
        if is_loopback(host):
            return None
        raise UserError(
            f"other machines can reach {host or 'every address'}, and no password is set; {advice}"
        )
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(f"the password has {len(password)} characters; {advice}")
    if password == KNOWN_PASSWORD:
        raise UserError(
            f"the password is the default of older MLflow versions; {advice} of your own"
        )
    return password


def check_address(host: str, port: str) -> None:
    """Check that the server can listen there; MLflow reports it late, among other lines."""
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UserError(f"the port is {port or 'empty'}; allowed: 1 to 65535")
    try:
        _bind(host, int(port))
    except OSError as error:
        advice = "choose others with --host and --port"
        if error.errno == errno.EADDRINUSE:
            free = _free_port(host, int(port))
            advice = f"port {free} is free: --port {free} (make: PORT={free})"
        raise UserError(
            f"cannot listen on {host} port {port}: {error.strerror}; {advice}"
        ) from None


def _bind(host: str, port: int) -> None:
    """Bind a socket and close it again; raises OSError if that is not possible."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _free_port(host: str, taken: int) -> int:
    """The next port that a server can listen on; after the last port the system chooses one."""
    for port in range(taken + 1, 65536):
        with suppress(OSError):
            _bind(host, port)
            return port
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _database_address(root: Path) -> URL:
    """The database in `DVCVIEW_DATABASE`; the project's own if the variable is not set."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    address = os.environ.get(DATABASE)
    if not address:
        folder = database_folder(root)
        if not folder.exists():
            raise UserError(
                "there is no database yet; run `dvcview database start`, or set one: "
                f"{DATABASE}={FORM}"
            )
        return database_url(folder)
    invalid = UserError(f"{DATABASE} is not a valid address; expected {FORM}")
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # their messages quote the address with its password
        raise invalid from None
    if "@" in (url.host or ""):  # part of a password
        raise invalid
    if url.drivername not in ("postgresql", DRIVER):
        raise UserError(f"{DATABASE} is an address of {url.drivername}; expected {FORM}")
    return url.set(drivername=DRIVER)


def _check_database(url: URL) -> None:
    """Check that PostgreSQL answers. The error message never contains the password."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(url, connect_args={"connect_timeout": 10})
    try:
        engine.connect().close()
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        for secret in (url.password, url.query.get("password")):
            if secret:
                reason = reason.replace(str(secret), "***")
        hint = f"check {DATABASE}" if os.environ.get(DATABASE) else "try `dvcview database start`"
        raise UserError(f"PostgreSQL does not answer; {hint} ({reason})") from None
    finally:
        engine.dispose()


def _authentication_settings(private: Path, url: URL) -> dict[str, str]:
    """The variables for MLflow's basic-auth: a configuration file and a persistent key."""
    key = private / "secret_key"
    if not key.exists():
        _write_private(key, secrets.token_hex(32))
    configuration = private / "auth.ini"
    # In an .ini file, % starts a reference.
    address = url.render_as_string(hide_password=False).replace("%", "%%")
    # EDIT: all members write to the same experiments, and the first run creates them.
    _write_private(
        configuration, f"[mlflow]\ndatabase_uri = {address}\ndefault_permission = EDIT\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(configuration),
        SECRET_KEY: key.read_text(encoding="utf-8"),
        USERNAME: os.environ.get(USERNAME) or "admin",
    }


def _write_private(path: Path, content: str) -> None:
    """Write a file atomically, with mode 0600 from the start."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    partial.replace(path)
