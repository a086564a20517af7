"""Runs one Airflow component, and loads its modules while PostgreSQL is still starting.

    start.py migrate|api-server|scheduler|dag-processor|triggerer

Loading Airflow takes most of a component's start and needs no database. All components therefore load at once, the
init container `migrate` migrates the database as soon as it answers, and every other one goes on when that is done: none
waits for another one's imports, as they would behind an init container that must end first.
"""

import gc
import importlib
import json
import multiprocessing.util
import os
import pathlib
import signal
import socket
import sys
import threading
import time
import urllib.request

SHARED = pathlib.Path("/run/windtunnel/shared")
PRIVATE = pathlib.Path("/run/windtunnel/private")
# Lives and dies with the pod: a container that restarts finds it, a new pod migrates again.
MIGRATED = SHARED / "migrated"
PATIENCE_SECONDS = 600
POLL_SECONDS = 0.2
QUIET_SECONDS = 3
# What PostgreSQL and its client library say while the database or the cluster's DNS is coming back.
PASSING = (
    "starting up",
    "shutting down",
    "could not translate host name",
    "Connection refused",
    "No route to host",
    "timeout expired",
    "server closed the connection",
)

# `airflow.api_fastapi.main` builds the whole web application when it is imported.
MODULES = {
    "migrate": ["airflow.cli.commands.db_command"],
    "api-server": ["airflow.cli.commands.api_server_command", "airflow.api_fastapi.main"],
    "scheduler": ["airflow.cli.commands.scheduler_command"],
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
        # What forks later must not share a connection.
        engine.dispose()
    except OSError as error:
        return str(error)
    except OperationalError as error:
        # Only what passes after a hard stop; a wrong password or a missing database will not mend themselves.
        if not any(passing in str(error.orig) for passing in PASSING):
            raise
        return str(error.orig).strip()


def check_key():
    """Decrypts something that is stored: Airflow starts with any Fernet key, and fails when a task needs what another one encrypted."""
    from airflow.models.crypto import get_fernet
    from airflow.settings import engine
    from sqlalchemy import text

    stored = (("variable", "val", "is_encrypted"), ("connection", "password", "is_encrypted"), ("connection", "extra", "is_extra_encrypted"))
    with engine.connect() as connection:
        for table, column, is_encrypted in stored:
            query = text(f"SELECT {column} FROM {table} WHERE {is_encrypted} AND {column} <> '' LIMIT 1")
            if (token := connection.execute(query).scalar()) is not None:
                get_fernet().decrypt(token.encode())
    engine.dispose()


def migration_missing():
    return None if MIGRATED.exists() else "the container migrate is at work on it"


def airflow(*arguments):
    from airflow.__main__ import main

    sys.argv = ["airflow", *arguments]
    return main()


def migrate():
    """Migrates once, then becomes a program that does nothing and takes no memory.

    An init container beside which the others start must not end: the kubelet would start it again.
    """
    if not MIGRATED.exists():
        load("migrate")
        wait("the database", database_missing)
        airflow("db", "migrate")
        check_key()
        MIGRATED.touch()
        say("the database is migrated")
    os.execvp("sleep", ["sleep", "infinity"])


def web_missing():
    try:
        socket.create_connection(("127.0.0.1", 8080), timeout=2).close()
    except OSError as error:
        return str(error)


def warm_up():
    """Makes the first call of the execution interface.

    It builds all versions of the interface, for seconds in which the web server does nothing else. The first task
    would wait for that, and give up after its 5 s on a slow machine. Whoever waits for the first page goes first.
    """
    wait("the web server", web_missing)
    time.sleep(QUIET_SECONDS)
    urllib.request.urlopen("http://127.0.0.1:8080/execution/health", timeout=PATIENCE_SECONDS).close()


def let_watcher_end():
    """Lets the Kubernetes executor's watcher end when it is told to.

    It inherits the scheduler's handler, which leaves all to the parent; the parent would wait for it for 20 s, and be killed
    before it has told that it ended (apache-airflow-providers-cncf-kubernetes, `AirflowKubernetesScheduler.terminate`).
    """

    def usual_end(_):
        if type(multiprocessing.current_process()).__name__ == "KubernetesJobWatcher":
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    multiprocessing.util.register_after_fork(let_watcher_end, usual_end)


def run(component):
    began = time.monotonic()
    # Hardly anything that is loaded now becomes garbage; looking for it takes a third of the web server's start.
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    if component == "migrate":
        migrate()
    if component == "api-server":
        write_password()
    if component == "scheduler":
        let_watcher_end()
    load(component)
    say(f"loaded in {time.monotonic() - began:.1f} s")
    # In a pod that a node's restart brings back the migration is done already, but the database may not be reachable yet.
    wait("the database", database_missing)
    wait("the database", migration_missing)
    say(f"starting {component} after {time.monotonic() - began:.1f} s")
    gc.set_threshold(*usual)
    if component == "api-server":
        threading.Thread(target=warm_up, daemon=True).start()
    sys.exit(airflow(component, *ARGUMENTS.get(component, [])))


if __name__ == "__main__":
    run(sys.argv[1])
