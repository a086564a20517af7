#!/usr/bin/env bash
# Times `windtunnel up` beside the same sequence by hand with the raw tools, in turns, on this machine.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat << EOT
Usage: scripts/bench.sh [--runs N] [--provider kind|minikube|existing] [--profile FILE] [--bundle DIR] [--hand-node IMAGE]
       scripts/bench.sh forward [--help]

Each run makes an environment by \`windtunnel up\` and removes it, then does the same by hand with the raw tools (kind
create or minikube start, kind load or minikube image load, helm install --wait, kubectl port-forward, health), with the
same images, charts, values and Secrets, and prints the seconds of every part. Between the two nothing is shared but the
Docker Engine; with \`existing\` each has a cluster of its own that is not timed. Needs a release build and a bundle. By
hand the cluster is made of the bundle's node image, which has Airflow and PostgreSQL in it, or of the one that
--hand-node names. A profile's chart must be an archive or a folder on this machine.
The second form measures the forward beside \`kubectl port-forward\`.
EOT
}

if [ "${1:-}" = forward ]; then exec "$root/scripts/bench/forward.sh" "${@:2}"; fi

runs=3
hand_node=
provider=kind
profile=lite
bundle=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel/bundle
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --runs) runs=${2:?--runs needs a number}; shift ;;
    --provider) provider=${2:?--provider needs kind, minikube or existing}; shift ;;
    --profile) profile=${2:?--profile needs a file}; shift ;;
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
# Of the cluster by hand, and of windtunnel's environment: the namespace and the releases by hand have its name as well.
hand=bench-hand-$$
ours=bench-ours-$$
export PATH=$bundle/bin:$work:$PATH WINDTUNNEL_STATE=$work/state KUBECONFIG=$work/kubeconfig MINIKUBE_HOME=$work
forward=
# shellcheck disable=SC2329 # called by the trap
clean_up() {
  [ -z "$forward" ] || kill "$forward" 2> /dev/null || true
  "$windtunnel" down --name "$ours" --yes > /dev/null 2>&1 || true
  remove_cluster > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean_up EXIT
mkdir "$work/dags"

# entry ROLE FIELD: of the bundle
entry() { jq -r --arg role "$1" --arg field "$2" '.entries[] | select(.role == $role) | .[$field]' "$bundle/bundle.json"; }
node=$(entry node reference)
for role in node airflow database; do
  docker image inspect "$(entry $role reference)" > /dev/null 2>&1 || docker load -q -i "$bundle/$(entry $role file)" > /dev/null
done

make_cluster() {
  local container=$hand-control-plane root=()
  case $provider in
    kind | existing) kind create cluster --name "$hand" --image "${hand_node:-$node}" --wait 180s ;;
    minikube)
      container=$hand
      [ "$(id -u)" != 0 ] || root=(--force)
      minikube start --profile "$hand" --driver=docker --container-runtime=containerd --base-image="${hand_node:-$node}" \
        --kubernetes-version="v$(entry node version)" --cpus=no-limit --memory=no-limit --cni=false --preload=false \
        --cache-images=false --install-addons=false --interactive=false --wait=apiserver,system_pods "${root[@]}"
      ;;
  esac
  # Instead of a DAG folder.
  docker exec "$container" mkdir -p /windtunnel/dags /windtunnel/smoke
}

remove_cluster() {
  case $provider in
    kind | existing) kind delete cluster --name "$hand" ;;
    minikube) minikube delete --profile "$hand" ;;
  esac
}

load_images() {
  local image
  for image; do
    case $provider in
      kind) kind load docker-image --name "$hand" "$image" ;;
      minikube) minikube image load --profile "$hand" "$image" ;;
    esac
  done
}

now() { date +%s%N; }
# timed WHO WHAT COMMAND...: runs it and notes its milliseconds
timed() {
  local who=$1 what=$2 begin
  shift 2
  begin=$(now)
  "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  printf '%s\t%s\t%s\n' "$who" "$what" $((($(now) - begin) / 1000000)) >> "$work/times"
}

# Airflow 3 tells its health at the first address, Airflow 2 at the second one; a part that is not installed is null.
healthy() {
  local port=$1 deadline=$((SECONDS + 300))
  until { curl -sf -m 5 "http://127.0.0.1:$port/api/v2/monitor/health" || curl -sf -m 5 "http://127.0.0.1:$port/health"; } |
    jq -e '[.[].status | values] | length > 1 and all(. == "healthy")' > /dev/null; do
    [ $SECONDS -lt $deadline ] || { echo "Airflow did not become healthy." >&2; return 1; }
    sleep 0.2
  done
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# What windtunnel installed, for the same by hand: releases with their values and charts, Secrets and ConfigMaps, images, the web Service.
keep_inputs() {
  local environment=$WINDTUNNEL_STATE/environments/$ours release chart
  export KUBECONFIG=$environment/kubeconfig
  [ -x "$work/kubectl" ] || docker cp -L "$(docker ps -q --filter "name=^($hand-control-plane|$ours|$ours-control-plane)$" | head -1):/usr/bin/kubectl" "$work/kubectl"
  rm -rf "$work/same"
  mkdir "$work/same"
  # But for what Helm and Kubernetes make themselves.
  kubectl -n "$ours" get secrets,configmaps -o json | jq 'del(.items[] | select((.type // "Opaque") != "Opaque" or
    .metadata.labels["app.kubernetes.io/managed-by"] == "Helm" or .metadata.name == "kube-root-ca.crt")) |
    del(.items[].metadata["uid", "resourceVersion", "creationTimestamp"])' > "$work/same/objects.json"
  helm list -n "$ours" -o json | jq -r 'sort_by(.updated)[].name' > "$work/same/releases"
  while read -r release; do
    helm get values -n "$ours" "$release" -o json > "$work/same/$release.json"
    chart=$environment/chart-$release
    [ -d "$chart" ] || chart=$environment/chart
    [ -d "$chart" ] || chart=$(realpath "$("$windtunnel" profiles show "$profile" -o json | jq -r .chart.from)")
    cp -r "$chart" "$work/same/$release.chart"
  done < "$work/same/releases"
  jq -r '.images[] | select(.role == "airflow" or .role == "database") | .reference' "$environment/environment.json" > "$work/same/images"
  jq -r '"\(.service) \(.service_port)"' "$environment/forward.json" > "$work/same/service"
  KUBECONFIG=$work/kubeconfig
}

prepare_namespace() {
  kubectl create namespace "$ours"
  kubectl -n "$ours" create -f "$work/same/objects.json"
}

# Only for the last one can be waited: the volume for logs of the first is not bound before Airflow uses it.
install() {
  local release last wait
  last=$(tail -1 "$work/same/releases")
  while read -r release; do
    wait=()
    [ "$release" != "$last" ] || wait=(--wait --timeout 10m)
    helm install "$release" "$work/same/$release.chart" -n "$ours" -f "$work/same/$release.json" "${wait[@]}" < /dev/null
  done < "$work/same/releases"
}

by_hand() {
  local port service service_port images
  port=$(free_port)
  read -r service service_port < "$work/same/service"
  mapfile -t images < "$work/same/images"
  if [ "$provider" = existing ]; then
    make_cluster > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  else
    timed hand 'create cluster' make_cluster
    timed hand 'load images' load_images "${images[@]}"
  fi
  timed hand 'namespace' prepare_namespace
  timed hand 'install and wait' install
  kubectl -n "$ours" port-forward "svc/$service" "$port:$service_port" > "$work/forward.log" 2>&1 &
  forward=$!
  timed hand 'forward and health' healthy "$port"
  kill "$forward"
  forward=
  if [ "$provider" = existing ]; then
    timed hand 'remove' kubectl delete namespace "$ours"
    remove_cluster > "$work/log" 2>&1
  else
    timed hand 'remove' remove_cluster
  fi
}

by_windtunnel() {
  local port begin cluster=(--dags "$work/dags")
  port=$(free_port)
  if [ "$provider" = existing ]; then
    make_cluster > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    cluster=(--context "kind-$hand")
  fi
  begin=$(now)
  "$windtunnel" up --name "$ours" --port "$port" --provider "$provider" --profile "$profile" --bundle "$bundle" "${cluster[@]}" -o json > "$work/events"
  printf 'ours\ttotal of up\t%s\n' $((($(now) - begin) / 1000000)) >> "$work/times"
  jq -r 'select(.event == "step_finished") | ["ours", .step, .milliseconds] | @tsv' "$work/events" >> "$work/times"
  keep_inputs
  timed ours 'up again' "$windtunnel" up --name "$ours"
  timed ours 'smoke' "$windtunnel" smoke --name "$ours"
  timed ours 'remove' "$windtunnel" down --name "$ours" --yes
  [ "$provider" != existing ] || remove_cluster > "$work/log" 2>&1
}

for run in $(seq "$runs"); do
  echo "run $run of $runs: windtunnel" >&2
  by_windtunnel
  echo "run $run of $runs: by hand" >&2
  by_hand
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
by_run = zip(*(parts["hand", what] for what in up if ("hand", what) in parts))
parts["hand", "total to healthy"] = [sum(run) for run in by_run]
print(f"{'who':6}{'part':22}{'median':>8}{'min':>8}{'max':>8}   seconds")
for (who, what), seconds in parts.items():
    print(f"{who:6}{what:22}{statistics.median(seconds):8.1f}{min(seconds):8.1f}{max(seconds):8.1f}")
hand, ours = (statistics.median(parts[key]) for key in (("hand", "total to healthy"), ("ours", "total of up")))
print(f"windtunnel up takes {ours / hand:.2f} of the time by hand")
EOT
