#!/usr/bin/env bash
# Causes every fault of recordings.yaml on a cluster of its own, and records each as a fixture of the verdict's tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here cache=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel
readonly cluster=${CLUSTER:-windtunnel-recordings} airflow=windtunnel.local/airflow:3.3.2 postgres=windtunnel.local/postgres:17.12

usage() {
  cat << 'EOT'
Usage: tests/e2e/faults/record-all.sh FOLDER [CODE...]

Makes a kind cluster, causes the faults of recordings.yaml all at once, each in a namespace of its own, and writes what
the verdict looks at into FOLDER/CODE.yaml as soon as it is there; then those that are about the node, one by one. About
ten minutes. CODEs choose some of them. `src/cluster/verdict/testdata/recorded` is where the tests look.

Needs docker, jq, kind and the images that scripts/images/build.sh makes.

  CLUSTER   the cluster's name (default windtunnel-recordings); one that is there already is used, and stays
EOT
}

if [ $# = 0 ] || [ "$1" = --help ]; then
  usage >&2
  exit 2
fi
readonly folder=$1 node=$cluster-control-plane
shift
PATH=$PATH:$cache/bundle/bin
work=$(mktemp -d)
made=
trap '[ -z "$made" ] || kind delete cluster --name "$cluster" --kubeconfig "$work/kubeconfig"; rm -rf "$work"' EXIT

preamble=$(cat "$here/node.sh")
readonly preamble
in_node() { docker exec --interactive --env N="${namespace:-default}" "$node" sh -euc "$preamble"$'\n'"$1"; }
kubectl() { docker exec --interactive "$node" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }
say() { echo "$(date +%T) $*" >&2; }

# within SECONDS WHAT COMMAND...: until the command succeeds
within() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { say "$what: not seen in time"; return 1; }
    sleep 1
  done
}

make_cluster() {
  ! docker container inspect "$node" > /dev/null 2>&1 || return 0
  made=yes
  kind create cluster --name "$cluster" --kubeconfig "$work/kubeconfig" --image windtunnel.local/node:v1.34.4 --wait 60s
  docker save "$airflow" "$postgres" | docker exec --interactive "$node" ctr --namespace k8s.io images import -
}

# The registry that refuses, and a PostgreSQL for all who ask for one.
make_servers() {
  docker cp --quiet "$here/registry.py" "$node:/registry.py"
  docker cp --quiet "$cache/bundle/bin/helm" "$node:/usr/local/bin/helm"
  kubectl apply --filename - << EOT
apiVersion: v1
kind: Pod
metadata: {name: registry}
spec:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  tolerations: [{operator: Exists}]
  terminationGracePeriodSeconds: 0
  containers: [{name: registry, image: $airflow, command: [python, -I, /registry.py], volumeMounts: [{name: script, mountPath: /registry.py}]}]
  volumes: [{name: script, hostPath: {path: /registry.py}}]
---
apiVersion: v1
kind: Pod
metadata: {name: database, labels: {app: database}}
spec:
  terminationGracePeriodSeconds: 0
  tolerations: [{operator: Exists}]
  containers: [{name: database, image: $postgres, env: [{name: POSTGRES_PASSWORD, value: right}]}]
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {app: database}, ports: [{port: 5432}]}
EOT
  kubectl wait pod registry database --for=condition=Ready --timeout=90s
  within 60 'the database' sql 'SELECT 1'
  local name
  for name in empty migrated newer; do sql "CREATE DATABASE $name" || true; done
  sql "CREATE USER guest PASSWORD 'right'" || true
  database=newer sql "CREATE TABLE alembic_version AS SELECT 'deadbeef0000'::varchar(32) AS version_num" || true
  kubectl exec registry -- env AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://postgres:right@database:5432/migrated airflow db migrate
  # Encrypted with a key that nobody has.
  database=migrated sql "INSERT INTO variable (key, val, is_encrypted) VALUES ('kept', 'gAAAAABrBCWqP7Wl2Ey8goPzp9X5Xf-qEU7nvN4R38ehjJ_bgjZhSPMpJAX3RxtZhntlOQ6SnWL1gN8Pa8fV6rMo4nzAeOJMQg==', true)" || true
}

sql() { kubectl exec database -- psql --host 127.0.0.1 --username postgres --dbname "${database:-postgres}" --quiet --command "$1"; }

# The objects of one fault, as JSON: those that come before, and the workload.
# shellcheck disable=SC2016 # these are variables of jq
readonly program='
  def command: if .airflow then ["sh", "-c", .airflow] elif .run then ["sh", "-c", .run] else ["sleep", "900"] end;
  def connection: "\(.driver // "postgresql+psycopg2")://\(.user // "postgres"):\(.password // "right")@\(.server // "database.default"):5432/\(.database // "empty")";
  def settings: if .airflow then [{name: "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", value: connection}] else [] end;
  def container: {name: (if .airflow then "migrate" else "scheduler" end), image: (if .airflow then $airflow else $postgres end),
    command: command, env: settings, readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 5}} * (.container // {});
  def kind: .kind // "Deployment";
  def name: .name // "airflow";
  {apiVersion: (if kind == "Job" then "batch/v1" else "apps/v1" end), kind: kind, metadata: {name: name},
   spec: ({template: {metadata: {labels: {component: "airflow"}},
     spec: ({terminationGracePeriodSeconds: 0, containers: [container]} * (.pod // {}))}}
     * (if kind == "Job" then {backoffLimit: 0, template: {spec: {restartPolicy: "Never"}}}
        else {replicas: 1, selector: {matchLabels: {component: "airflow"}}} end)
     * (if kind == "StatefulSet" then {serviceName: "airflow"} else {} end) * (.spec // {}))}'

field() { jq --raw-output ".$1 // empty" <<< "$fault"; }
named() { jq --raw-output '.name // "airflow"' <<< "$fault"; }

cause() {
  kubectl create namespace "$namespace"
  jq --compact-output '.objects[]?' <<< "$fault" | kubectl apply --namespace "$namespace" --filename - || [ "$(field objects)" = '' ]
  in_node "$(field make)"
  [ -n "$(named)" ] || return 0
  jq --arg airflow "$airflow" --arg postgres "$postgres" "$program" <<< "$fault" | kubectl apply --namespace "$namespace" --filename -
}

is_seen() {
  kubectl get pods,events,persistentvolumeclaims,replicasets,statefulsets,jobs --namespace "$namespace" --output json |
    jq --compact-output .items | grep -E -- "$(field seen)" > "$work/seen"
}

# keep SINCE: records the fault; SINCE is when it was caused, in bash's SECONDS
keep() {
  local kind after file seen name
  kind=$(jq --raw-output '{Deployment: "deployment", StatefulSet: "stateful_set", Job: "job"}[.kind // "Deployment"]' <<< "$fault")
  after=$(jq '.after // 8' <<< "$fault")
  within 180 "$code" is_seen || return 0
  seen=$SECONDS
  # Those that were met before it have given it time.
  [ $((seen - $1)) -ge $((after + 30)) ] || sleep "$after"
  file=$folder/$code.yaml
  name=$(named)
  if "$here/record.sh" "$node" "$namespace" airflow-cluster "$code" "$file" "$kind/${name:-airflow}"; then
    say "$code: recorded"
  else
    say "$code: not recorded"
    rm -f "$file"
  fi
}

# each FILTER FUNCTION: for the chosen faults of the table that fit
each() {
  local filter=$1 function=$2 fault code namespace
  while IFS= read -r fault <&3; do
    code=$(field code)
    namespace=${code//_/-}
    "$function"
  done 3< <(grep -v '^#' "$here/recordings.yaml" | jq --compact-output --arg chosen "$chosen" \
    ".[] | select($filter) | select(\$chosen == \"\" or (.code | IN(\$chosen | splits(\" \"))))")
}

begin() { cause > "$work/$code.log" 2>&1 || say "$code: $(tail -1 "$work/$code.log")"; }
# A few at a time, each a dozen calls.
begin_beside() {
  begin &
  while [ "$(jobs -r | wc -l)" -ge 4 ]; do wait -n; done
}
# What crashes again and again takes the others' time.
finish() {
  keep "$begun"
  kubectl delete namespace "$namespace" --wait=false > "$work/log" 2>&1 || say "$code: $(tail -1 "$work/log")"
}
forget() {
  kubectl delete namespace "$namespace" --ignore-not-found > "$work/log" 2>&1 || say "$code: $(tail -1 "$work/log")"
}
alone() {
  begin
  keep $SECONDS
  in_node "$(field undo)" > "$work/log" 2>&1 || say "$code: $(tail -1 "$work/log")"
  forget
}

readonly chosen=$*
mkdir -p "$folder"
make_cluster >&2
make_servers >&2
begun=$SECONDS
say 'causing all of them'
each '.alone or .airflow | not' begin_beside
wait
each '.alone or .airflow | not' finish
each '.alone or .airflow | not' forget
each '.alone or .airflow' alone
