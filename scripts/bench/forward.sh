#!/usr/bin/env bash
# Measures the forward by both routes beside `kubectl port-forward`, on this machine, in one run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/scripts/bench

usage() {
  cat << EOT
Usage: scripts/bench.sh forward [--seconds N] [--bundle DIR] [--windtunnel PROGRAM]

Makes an environment, leads the Service of its web interface to a small web server, and measures kubectl port-forward, the
route straight to the node and the route through the API server, one after the other: the throughput of a large answer;
p50, p99 and requests per second of small ones by 1, 50 and 200 clients, a connection for each request, with the
processor time that each program of this machine took for one; how long after the pod had gone a request is answered; the
most memory that the process used. At last one client without any forward, which none can exceed. Needs Linux, kubectl,
python3, rustc and a bundle.

  --seconds N            how long each number of clients asks (default 5)
  --bundle DIR           what the cluster is made of (default ~/.cache/windtunnel/bundle)
  --windtunnel PROGRAM   the program (default that of \`cargo build --release\`)
EOT
}

seconds=5
bundle=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel/bundle
windtunnel=${CARGO_TARGET_DIR:-$root/target}/release/windtunnel
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    --bundle) bundle=${2:?--bundle needs a folder}; shift ;;
    --windtunnel) windtunnel=${2:?--windtunnel needs a program}; shift ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[ -x "$windtunnel" ] || { echo "There is no $windtunnel: run 'cargo build --release' first." >&2; exit 2; }
[ -f "$bundle/bundle.json" ] || { echo "There is no bundle in $bundle: run scripts/images/build.sh first." >&2; exit 2; }

name=forward-bench-$$
work=$(mktemp -d)
export PATH=$bundle/bin:$PATH WINDTUNNEL_STATE=$work/state WINDTUNNEL_NAME=$name
kubectl=
# shellcheck disable=SC2329 # called by the trap
clean_up() {
  [ -z "$kubectl" ] || kill "$kubectl" 2> /dev/null || true
  "$windtunnel" down --yes > /dev/null 2>&1 || true
  rm -rf "$work"
}
trap clean_up EXIT
mkdir "$work/dags"
# The pod finds its server in the DAG folder, whatever C library its image has.
for program in load dags/server; do
  rustc --edition 2024 -O -C target-feature=+crt-static -o "$work/$program" "$here/${program#dags/}.rs"
done

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
k() { command kubectl --kubeconfig "$work/state/environments/$name/kubeconfig" --namespace "$name" "$@"; }

# until_answered ADDRESS: for half a minute at most
until_answered() {
  local deadline=$((SECONDS + 30))
  until curl -sf -m 5 "http://$1/" > /dev/null; do
    [ $SECONDS -lt $deadline ] || { echo "Nobody answers on $1." >&2; return 1; }
    sleep 0.2
  done
}

# measure TITLE ADDRESS CLIENTS...
measure() {
  echo "$1"
  until_answered "$2"
  "$work/load" "$2" "$seconds" "${@:3}" | sed 's/^/  /'
}

# measure_forward TITLE PORT PROCESS
measure_forward() {
  measure "$1" "127.0.0.1:$2" 1 50 200
  k delete pod --selector app=stand-in --grace-period=1 > /dev/null
  "$work/load" "127.0.0.1:$2" recover | sed 's/^/  /'
  awk '/^VmHWM/ { printf "  most memory: %.1f MiB", $2 / 1024 } /^RssAnon/ { printf " (now %.1f MiB without files)\n", $2 / 1024 }' "/proc/$3/status" 2> /dev/null || echo '  it has ended'
}

# start_forward [VARIABLE=VALUE]: the forward anew, and its process id
start_forward() {
  "$windtunnel" forward stop > /dev/null 2>&1
  env "$@" "$windtunnel" forward start -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["process"])'
}

port=$(free_port)
"$windtunnel" up --port "$port" --dags "$work/dags" --bundle "$bundle" -q
image=$(python3 -c 'import json, sys
print(next(entry["reference"] for entry in json.load(open(sys.argv[1]))["entries"] if entry["role"] == "airflow"))' "$bundle/bundle.json")
# The Service leads to a port by its name.
target=$(k get service "$name-web" --output 'jsonpath={.spec.ports[0].targetPort}')
k apply --filename - > /dev/null << EOT
apiVersion: apps/v1
kind: Deployment
metadata: {name: stand-in}
spec:
  selector: {matchLabels: {app: stand-in}}
  template:
    metadata: {labels: {app: stand-in}}
    spec:
      containers:
        - name: server
          image: $image
          command: [/dags/server]
          ports: [{name: $target, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
          volumeMounts: [{name: dags, mountPath: /dags, readOnly: true}]
      volumes: [{name: dags, hostPath: {path: /windtunnel/dags}}]
EOT
k rollout status deployment/stand-in --timeout 90s > /dev/null
k patch service "$name-web" --type json --patch '[{"op": "replace", "path": "/spec/selector", "value": {"app": "stand-in"}}]' > /dev/null

other=$(free_port)
command kubectl --kubeconfig "$work/state/environments/$name/kubeconfig" --namespace "$name" \
  port-forward "service/$name-web" "$other:8080" > "$work/kubectl.log" 2>&1 &
kubectl=$!
measure_forward 'kubectl port-forward' "$other" "$kubectl"
measure_forward 'windtunnel, straight to the node' "$port" "$(start_forward)"
measure_forward 'windtunnel, through the API server' "$port" "$(start_forward WINDTUNNEL_FORWARD_ROUTE=api)"
# By one client: the ports of many would be used up within seconds, as this machine remembers each for a minute (TIME_WAIT).
node=$(k get nodes --output 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
measure 'the node, without a forward' "$node:$(k get service "$name-web" --output 'jsonpath={.spec.ports[0].nodePort}')" 1
