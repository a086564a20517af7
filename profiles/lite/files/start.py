"""Runs one Airflow component, and loads its modules while PostgreSQL is still starting.

    start.py api-server|scheduler|dag-processor|triggerer

Loading Airflow takes most of a component's start and needs no database. All four therefore load at once, the
scheduler migrates the database as soon as it answers, and every component goes on when that is done: no component
waits for another one's imports, as they would behind an init container.
"""

import gc
import importlib
import json
import os
import pathlib
import socket
import sys
import time

SHARED = pathlib.Path("/run/windtunnel/shared")
PRIVATE = pathlib.Path("/run/windtunnel/private")
# Lives and dies with the pod: a container that restarts finds it, a new pod migrates again.
MIGRATED = SHARED / "migrated"
PATIENCE_SECONDS = 600
POLL_SECONDS = 0.2

# `airflow.api_fastapi.main` builds the whole web application when it is imported. `db_command` is what migrates.
MODULES = {
    "api-server": ["airflow.cli.commands.api_server_command", "airflow.api_fastapi.main"],
    "scheduler": ["airflow.cli.commands.db_command", "airflow.cli.commands.scheduler_command"],
    "dag-processor": ["airflow.cli.commands.dag_processor_command"],
    "triggerer": ["airflow.cli.commands.triggerer_command"],
}

# Every component writes its task logs to the volume that the web server reads from: no log server is needed.
ARGUMENTS = {"triggerer": ["--skip-serve-logs"], "scheduler": ["--skip-serve-logs"]}


def say(text):
    print(f"windtunnel: {text}", flush=True)


def write_password():
    """Gives the simple auth manager its one user's password; the manager opens the file for writing."""
    path = PRIVATE / "passwords.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"admin": os.environ.pop("WINDTUNNEL_ADMIN_PASSWORD")}, file)


def load(component):
    for module in MODULES[component]:
        try:
            importlib.import_module(module)
        except ImportError as error:
            say(f"not loaded in advance: {module}: {error}")


def wait(what, is_there):
    """Waits until `is_there` returns None; what it returns instead says what is missing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    shown = None
    while (missing := is_there()) is not None:
        if time.monotonic() > deadline:
            sys.exit(f"windtunnel: gave up waiting for {what} after {PATIENCE_SECONDS} s: {missing}")
        if missing != shown:
            say(f"waiting for {what}: {missing}")
            shown = missing
        time.sleep(POLL_SECONDS)


def database_missing():
    from airflow.settings import engine
    from sqlalchemy.exc import OperationalError

    try:
        # Bounded, unlike the driver's own attempt.
        socket.create_connection((engine.url.host, engine.url.port), timeout=2).close()
        engine.connect().close()
        # The child that migrates must not share a connection.
        engine.dispose()
    except OSError as error:
        return str(error)
    except OperationalError as error:
        # Only while it recovers from a hard stop; a wrong password or a missing database will not mend themselves.
        if "starting up" not in str(error.orig):
            raise
        return str(error.orig).strip()


def migration_missing():
    return None if MIGRATED.exists() else "the scheduler is migrating it"


def airflow(*arguments):
    from airflow.__main__ import main

    sys.argv = ["airflow", *arguments]
    return main()


def migrate():
    """Migrates in a child, which has the modules already and takes what only a migration needs away with it."""
    child = os.fork()
    if child == 0:
        sys.exit(airflow("db", "migrate"))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        sys.exit(f"windtunnel: `airflow db migrate` ended with {code}")
    MIGRATED.touch()


def run(component):
    began = time.monotonic()
    # Nothing that is loaded now becomes garbage; looking for it takes a third of the web server's start.
    gc.disable()
    if component == "api-server":
        write_password()
    load(component)
    say(f"loaded in {time.monotonic() - began:.1f} s")
    if component == "scheduler" and not MIGRATED.exists():
        wait("the database", database_missing)
        migrate()
    else:
        wait("the database", migration_missing)
    say(f"starting {component} after {time.monotonic() - began:.1f} s")
    gc.freeze()
    gc.enable()
    sys.exit(airflow(component, *ARGUMENTS.get(component, [])))


if __name__ == "__main__":
    run(sys.argv[1])
