"""Exits with 1 when the web server's health document says that this component's heartbeat has stopped.

    alive.py scheduler|dag_processor|triggerer

It needs no more than a bare interpreter: importing Airflow would cost seconds of CPU at each probe. A component that
has not begun, and a web server that does not answer, are not this component's fault: the exit status is then 0.
"""

import http.client
import json
import sys


def heartbeat(component):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
    try:
        connection.request("GET", "/api/v2/monitor/health")
        return (json.load(connection.getresponse()).get(component) or {}).get("status")
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"the web server does not say: {error}")
        return None


if heartbeat(sys.argv[1]) == "unhealthy":
    sys.exit(f"the {sys.argv[1]} has stopped its heartbeat")
