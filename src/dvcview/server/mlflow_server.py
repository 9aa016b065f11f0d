"""MLflow for a team: over HTTP, on PostgreSQL, with artifacts that pass through the server.

What a client sends is safe once it is answered: PostgreSQL has committed it, or the file stands in
the artifacts' folder. Nothing else is kept in the server's process.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dvcview.errors import UserError
from dvcview.server.postgres import DRIVER, database_folder, database_url

if TYPE_CHECKING:
    from sqlalchemy import URL

DATABASE = "DLVC_DATABASE"
FORM = "postgresql://USER:PASSWORD@HOST/NAME (with %40 for @, %2F for /, %25 for %)"

# MLflow's own variables.
USERNAME = "MLFLOW_AUTH_ADMIN_USERNAME"
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # noqa: S105
SECRET_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"  # noqa: S105
ARTIFACTS = "MLFLOW_ARTIFACTS_DESTINATION"
SHORTEST_PASSWORD = 12  # characters, MLflow's own limit
KNOWN_PASSWORD = "password1234"  # noqa: S105  (older MLflow shipped it)
CLOSED = {
    # No request starts a program here, no pickle from a client is loaded, nothing is sent away.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
    "MLFLOW_ENABLE_ASSISTANT_SANDBOX": "true",  # in a container or not at all
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
CLIENTS_OWN = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def serve(root: Path, host: str, port: str) -> NoReturn:
    """Become MLflow's server, after everything that can be known before has been checked.

    Secrets go through the environment and through files of mode 0600, never through the command
    line, which every user of the machine can read.
    """
    password = _password(host)
    _check_address(host, port)
    url = _database(root)
    _check_database(url)

    private = root / ".dlvc" / "server"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {name: v for name, v in os.environ.items() if name not in CLIENTS_OWN} | CLOSED
    environment["MLFLOW_BACKEND_STORE_URI"] = url.render_as_string(hide_password=False)
    environment.setdefault(ARTIFACTS, str(root / ".dlvc" / "artifacts"))
    # One worker: several that start at once on slow cores are given up as dead, all of them.
    command = [
        sys.executable, "-m", "mlflow", "server",
        "--host", host, "--port", port, "--workers", "1", "--serve-artifacts",
    ]  # fmt: skip
    if password:
        command += ["--app-name", "basic-auth"]
        environment |= _authentication(private, url)
    print(f"MLflow: http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)")
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name that is not known counts as reachable."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _password(host: str) -> str | None:
    """The administrator's password; needed beyond loopback, used wherever it is given."""
    password = os.environ.get(PASSWORD)
    needed = f"set {PASSWORD} to at least {SHORTEST_PASSWORD} characters"
    if not password:
        if is_loopback(host):
            return None
        raise UserError(
            f"other machines can reach {host or 'every address'}, and no password is set; {needed}"
        )
    if len(password) < SHORTEST_PASSWORD:
        raise UserError(f"the password has {len(password)} characters; {needed}")
    if password == KNOWN_PASSWORD:
        raise UserError(f"the password is the one that MLflow once came with; {needed}, your own")
    return password


def _check_address(host: str, port: str) -> None:
    """That the server can listen there; MLflow itself would say so late, among other lines."""
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UserError(f"the port is {port or 'empty'}; allowed: 1 to 65535, as in PORT=5000")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose with HOST=... PORT=..."
        ) from None


def _database(root: Path) -> URL:
    """The database that `DLVC_DATABASE` names, or else the project's own."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    given = os.environ.get(DATABASE)
    if not given:
        folder = database_folder(root)
        if not folder.exists():
            raise UserError(
                f"there is no database yet; call `make database`, or name one: {DATABASE}={FORM}"
            )
        return database_url(folder)
    unreadable = UserError(f"{DATABASE} cannot be read; its form is {FORM}")
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):  # whose messages quote what was given
        raise unreadable from None
    if "@" in (url.host or ""):  # the rest of a password
        raise unreadable
    if url.drivername not in ("postgresql", DRIVER):
        raise UserError(f"{DATABASE} is of the kind {url.drivername}; its form is {FORM}")
    return url.set(drivername=DRIVER)


def _check_database(url: URL) -> None:
    """That PostgreSQL answers; the line names the place, never the password."""
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
        hint = f"is {DATABASE} right?" if os.environ.get(DATABASE) else "try `make database`"
        raise UserError(f"PostgreSQL does not answer; {hint} ({reason})") from None
    finally:
        engine.dispose()


def _authentication(private: Path, url: URL) -> dict[str, str]:
    """What MLflow's basic-auth wants: a configuration file, and a key that outlives a restart."""
    key = private / "secret_key"
    if not key.exists():
        _write_private(key, secrets.token_hex(32))
    configuration = private / "auth.ini"
    # The file's format takes % for the start of a reference.
    address = url.render_as_string(hide_password=False).replace("%", "%%")
    # EDIT: the course's experiments are everybody's, whoever's run came first and made them.
    _write_private(
        configuration, f"[mlflow]\ndatabase_uri = {address}\ndefault_permission = EDIT\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(configuration),
        SECRET_KEY: key.read_text(encoding="utf-8"),
        USERNAME: os.environ.get(USERNAME) or "admin",
    }


def _write_private(path: Path, content: str) -> None:
    """Write a file that nobody else can read at any moment, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    partial.replace(path)
