#!/usr/bin/env bash
# Times `windtunnel up` beside the same sequence by hand with the raw tools, in turns, on this machine.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat << EOT
Usage: scripts/bench.sh [--runs N] [--bundle DIR] [--hand-node IMAGE]
       scripts/bench.sh forward [--help]

Each run makes a cluster by hand (kind create --wait, kind load, helm install --wait, kubectl port-forward, health) and
removes it, then does the same by \`windtunnel up\`, with the same images, chart and values, and prints the seconds of
every part. Between the two nothing is shared but the Docker Engine. Needs a release build and a bundle. By hand the
cluster is made of the bundle's node image, which has Airflow and PostgreSQL in it, or of the one that --hand-node names.
The second form measures the forward beside \`kubectl port-forward\`.
EOT
}

if [ "${1:-}" = forward ]; then exec "$root/scripts/bench/forward.sh" "${@:2}"; fi

runs=3
hand_node=
bundle=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel/bundle
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --runs) runs=${2:?--runs needs a number}; shift ;;
    --bundle) bundle=${2:?--bundle needs a folder}; shift ;;
    --hand-node) hand_node=${2:?--hand-node needs an image}; shift ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
windtunnel=${CARGO_TARGET_DIR:-$root/target}/release/windtunnel
[ -x "$windtunnel" ] || { echo "There is no $windtunnel: run 'cargo build --release' first." >&2; exit 2; }
[ -f "$bundle/bundle.json" ] || { echo "There is no bundle in $bundle: run scripts/images/build.sh first." >&2; exit 2; }

work=$(mktemp -d)
hand=bench-hand-$$
ours=bench-ours-$$
export PATH=$bundle/bin:$work:$PATH WINDTUNNEL_STATE=$work/state KUBECONFIG=$work/kubeconfig
forward=
# shellcheck disable=SC2329 # called by the trap
clean_up() {
  [ -z "$forward" ] || kill "$forward" 2> /dev/null || true
  "$windtunnel" down --name "$ours" --yes > /dev/null 2>&1 || true
  kind delete cluster --name "$hand" > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean_up EXIT
mkdir "$work/dags"

reference() { jq -r --arg role "$1" '.entries[] | select(.role == $role) | .reference' "$bundle/bundle.json"; }
node=$(reference node) airflow=$(reference airflow) database=$(reference database)
for role in node airflow database; do
  docker image inspect "$(reference "$role")" > /dev/null 2>&1 ||
    docker load -q -i "$bundle/$(jq -r --arg role "$role" '.entries[] | select(.role == $role) | .file' "$bundle/bundle.json")" > /dev/null
done

now() { date +%s%N; }
# timed WHO WHAT COMMAND...: runs it and notes its milliseconds
timed() {
  local who=$1 what=$2 begin
  shift 2
  begin=$(now)
  "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  printf '%s\t%s\t%s\n' "$who" "$what" $((($(now) - begin) / 1000000)) >> "$work/times"
}

healthy() {
  local port=$1 deadline=$((SECONDS + 300))
  until curl -sf -m 5 "http://127.0.0.1:$port/api/v2/monitor/health" | jq -e '[.[].status] == ["healthy", "healthy", "healthy", "healthy"]' > /dev/null; do
    [ $SECONDS -lt $deadline ] || { echo "Airflow did not become healthy." >&2; return 1; }
    sleep 0.2
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

prepare_namespace() {
  kubectl create namespace airflow
  kubectl -n airflow create secret generic airflow-credentials --from-literal=admin-password=admin \
    --from-literal=api-secret-key="$(openssl rand -hex 32)" --from-literal=database-password="$(openssl rand -hex 16)" \
    --from-literal=fernet-key="$(openssl rand -base64 32 | tr '+/' '-_')" --from-literal=jwt-secret="$(openssl rand -hex 64)"
}

by_hand() {
  local port
  port=$(free_port)
  timed hand 'create cluster' kind create cluster --name "$hand" --image "${hand_node:-$node}" --wait 180s
  [ -x "$work/kubectl" ] || docker cp -L "$hand-control-plane:/usr/bin/kubectl" "$work/kubectl"
  timed hand 'load images' kind load docker-image --name "$hand" "$airflow" "$database"
  timed hand 'namespace' prepare_namespace
  timed hand 'install and wait' helm install airflow "$root/profiles/lite" -n airflow --wait --timeout 10m \
    --set "images.airflow=$airflow,images.database=$database,credentialsSecret=airflow-credentials,airflowVersion=${airflow##*:},environment=bench"
  kubectl -n airflow port-forward svc/airflow-web "$port:8080" > "$work/forward.log" 2>&1 &
  forward=$!
  timed hand 'forward and health' healthy "$port"
  kill "$forward"
  forward=
  timed hand 'remove' kind delete cluster --name "$hand"
}

by_windtunnel() {
  local port begin
  port=$(free_port)
  begin=$(now)
  "$windtunnel" up --name "$ours" --port "$port" --dags "$work/dags" --bundle "$bundle" -o json > "$work/events"
  printf 'ours\ttotal of up\t%s\n' $((($(now) - begin) / 1000000)) >> "$work/times"
  jq -r 'select(.event == "step_finished") | ["ours", .step, .milliseconds] | @tsv' "$work/events" >> "$work/times"
  timed ours 'up again' "$windtunnel" up --name "$ours"
  timed ours 'smoke' "$windtunnel" smoke --name "$ours"
  timed ours 'remove' "$windtunnel" down --name "$ours" --yes
}

for run in $(seq "$runs"); do
  echo "run $run of $runs: by hand" >&2
  by_hand
  echo "run $run of $runs: windtunnel" >&2
  by_windtunnel
done

# Median, smallest and largest of each part, in seconds and in the order in which the parts first came.
python3 - "$work/times" << 'EOT'
import statistics
import sys

parts = {}
for line in open(sys.argv[1]):
    who, what, milliseconds = line.rstrip("\n").split("\t")
    parts.setdefault((who, what), []).append(int(milliseconds) / 1000)
up = ["create cluster", "load images", "namespace", "install and wait", "forward and health"]
by_run = zip(*(parts["hand", what] for what in up))
parts["hand", "total to healthy"] = [sum(run) for run in by_run]
print(f"{'who':6}{'part':22}{'median':>8}{'min':>8}{'max':>8}   seconds")
for (who, what), seconds in parts.items():
    print(f"{who:6}{what:22}{statistics.median(seconds):8.1f}{min(seconds):8.1f}{max(seconds):8.1f}")
hand, ours = (statistics.median(parts[key]) for key in (("hand", "total to healthy"), ("ours", "total of up")))
print(f"windtunnel up takes {ours / hand:.2f} of the time by hand")
EOT
