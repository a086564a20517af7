#!/usr/bin/env bash
# Puts the same faults before helm, kubectl, k8sgpt and windtunnel, and writes down what each says and after how long.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly k8sgpt_version=v0.4.0
readonly table=$root/scripts/compare-verdicts.md

usage() {
  cat << 'EOT'
Usage: scripts/compare-verdicts.sh NAME [NUMBER...]

On the kind environment NAME, which `windtunnel up --name NAME` (profile lite) has made, causes each fault in a namespace of its
own for `helm install --wait`, `kubectl rollout status` and `k8sgpt analyze`, and in the environment for
`windtunnel up`. Writes the rows into scripts/compare-verdicts.md. Faults are undone; NUMBERs choose some of them.

Needs docker, jq, helm and a built windtunnel: PATH, or WINDTUNNEL and HELM. k8sgpt, without an AI backend,
is the one on PATH, or is built from its Go module; where that cannot be had, its column says so.

  SECONDS_HELM   how long helm and kubectl may wait (default 120)
EOT
}

if [ $# = 0 ] || [ "$1" = --help ]; then
  usage
  exit 2
fi
readonly name=$1 wait=${SECONDS_HELM:-120}
shift
readonly windtunnel=${WINDTUNNEL:-windtunnel} helm=${HELM:-helm} other=$name-other node=$name-control-plane
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kubeconfig=$("$windtunnel" kubeconfig --name "$name")
readonly kubeconfig

kubectl() { docker exec -i "$node" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }

# One fault a line: title | values of the chart | shell before, with $1 as the namespace | shell after
faults() {
  cat << 'EOT'
an image that does not exist|{"images":{"airflow":"localhost:5000/acme/none:1"}}|:|:
more cpu than the node has|{"resources":{"scheduler":{"requests":{"cpu":"100"}}}}|:|:
more memory than the node has|{"resources":{"scheduler":{"requests":{"memory":"900Gi"}}}}|:|:
a web server that needs more memory than its limit|{"resources":{"apiServer":{"requests":{"memory":"32Mi"},"limits":{"memory":"32Mi"}}}}|:|:
a registry that cannot be reached|{"images":{"airflow":"registry.invalid/acme/airflow:1"}}|:|:
a quota without room|{"env":{"A":"1"}}|kubectl -n "$1" create quota small --hard=pods=1|kubectl -n "$1" delete quota small
a limit range below what is asked for|{"env":{"A":"2"}}|limit_range "$1"|kubectl -n "$1" delete limitrange low
a taint on the node|{"env":{"A":"3"}}|kubectl taint nodes --all team=other:NoSchedule|kubectl taint nodes --all team-
a node that was cordoned|{"env":{"A":"4"}}|kubectl cordon "$node"|kubectl uncordon "$node"
an admission webhook that does not answer|{"env":{"A":"5"}}|webhook "$1"|kubectl delete validatingwebhookconfiguration gone
a setting that names what is not there|{"env":{"AIRFLOW__CORE__AUTH_MANAGER":"no_such.AuthManager"}}|:|:
a setting that is no number|{"env":{"AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE":"many"}}|:|:
a cluster without DNS|{"env":{"A":"6"}}|kubectl -n kube-system scale deployment coredns --replicas=0|kubectl -n kube-system scale deployment coredns --replicas=2
EOT
}

webhook() {
  kubectl apply -f - << EOT
{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"gone"},"webhooks":[{
  "name":"gone.example.com","admissionReviewVersions":["v1"],"sideEffects":"None","failurePolicy":"Fail","timeoutSeconds":1,
  "clientConfig":{"service":{"name":"gone","namespace":"default"}},
  "namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"$1"}},
  "rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]}]}
EOT
}

limit_range() {
  kubectl -n "$1" apply -f - <<< '{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"low"},"spec":{"limits":[{"type":"Container","max":{"memory":"100Mi"}}]}}'
}

# The one on PATH, or else one built in the cache, never in the user's own folders; the modules' checksums are verified as ever.
# Not by `go install`, which refuses a module that replaces others.
k8sgpt=$(command -v k8sgpt || true)
provide_k8sgpt() {
  [ -z "$k8sgpt" ] || return 0
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel/tools/bin
  [ -x "$cache/k8sgpt" ] || build_k8sgpt "$cache/k8sgpt" > "$work/k8sgpt" 2>&1 || return 0
  k8sgpt=$cache/k8sgpt
}

build_k8sgpt() {
  local source
  source=$(cd "$work" && go mod download -json "github.com/k8sgpt-ai/k8sgpt@$k8sgpt_version" | jq --raw-output '.Dir // (.Error | halt_error)') || return 1
  cp -R "$source" "$work/source"
  chmod -R u+w "$work/source"
  (cd "$work/source" && CGO_ENABLED=0 timeout 900 go build -o "$1" .)
}

# timed OUTPUT COMMAND...: its seconds on stdout
timed() {
  local output=$1 begin
  shift
  begin=$(date +%s.%N)
  "$@" > "$output" 2>&1 || true
  awk -v begin="$begin" -v end="$(date +%s.%N)" 'BEGIN { printf "%.0f", end - begin }'
}

# The last line that says something, as a cell of the table.
cell() { sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -v '^ *$' | tail -1 | tr '|' '/' | cut -c1-160; }

# All problems that k8sgpt names, without colours and escapes, as a cell of the table.
problems() { sed -n 's/\x1b\[[0-9;]*m//g; s/^- Error: //p' "$1" | tr '|\n' '/;' | sed 's/;$//; s/;/; /g' | cut -c1-400; }

release_other() { "$helm" install other "$work/chart" --kubeconfig "$kubeconfig" --namespace "$other" --values "$work/values.json" "$@"; }

compare() {
  local title=$1 values=$2 before=$3 after=$4 seconds
  echo "$title" >&2
  kubectl delete namespace "$other" --ignore-not-found > "$work/log" 2>&1
  kubectl create namespace "$other" >> "$work/log" 2>&1
  kubectl -n "$name" get secret "$name-credentials" -o json | jq 'del(.metadata.resourceVersion, .metadata.uid, .metadata.managedFields) | .metadata.namespace = "'"$other"'"' |
    kubectl apply -f - >> "$work/log" 2>&1
  cp -R "$root/profiles/lite" "$work/chart"
  # A small node must have room for both: the other release asks for next to no cpu, where that is not the fault.
  jq --argjson more "$values" --argjson modest "$modest" '. * $modest * $more | .dags = {} | .smoke = {}' "$work/healthy.json" > "$work/values.json"
  (set -- "$other"; eval "$before") >> "$work/log" 2>&1

  printf '| %s ' "$title"
  seconds=$(timed "$work/helm" release_other --wait --timeout "${wait}s")
  printf '| %s s: %s ' "$seconds" "$(cell "$work/helm")"
  seconds=$(timed "$work/rollout" kubectl -n "$other" rollout status deployment/other-airflow --timeout "${wait}s")
  printf '| %s s: %s ' "$seconds" "$(cell "$work/rollout")"
  if [ -n "$k8sgpt" ]; then
    seconds=$(timed "$work/analyze" "$k8sgpt" analyze --kubeconfig "$kubeconfig" --namespace "$other")
    printf '| %s s: %s ' "$seconds" "$(problems "$work/analyze")"
  else
    printf '| not built '
  fi
  (set -- "$other"; eval "$after") >> "$work/log" 2>&1
  kubectl delete namespace "$other" --wait=false >> "$work/log" 2>&1
  rm -rf "$work/chart"

  # The environment's own pod is made anew under the same fault.
  printf 'description: A fault.\n%s\nvalues: %s\n' "$(grep -v '^description\|^#' "$root/profiles/lite.yaml")" "$values" > "$work/fault.yaml"
  (set -- "$name"; eval "$before") >> "$work/log" 2>&1
  seconds=$(timed "$work/windtunnel" "$windtunnel" up --name "$name" --profile "$work/fault.yaml" --no-input --no-rollback)
  printf '| %s s: %s |\n' "$seconds" "$(grep -m1 '^error' "$work/windtunnel" | tr '|' '/' | cut -c1-200)"
  (set -- "$name"; eval "$after") >> "$work/log" 2>&1
}

modest=$(jq --null-input --compact-output \
  '{resources: (["migrate", "apiServer", "scheduler", "dagProcessor", "triggerer", "database"] | map({(.): {requests: {cpu: "5m"}}}) | add)}')

# chosen NUMBER NUMBERS...: all are, where none is
chosen() {
  local number=$1 one
  shift
  [ $# -gt 0 ] || return 0
  for one; do [ "$one" != "$number" ] || return 0; done
  return 1
}

about_k8sgpt() {
  if [ -n "$k8sgpt" ]; then
    printf 'k8sgpt, without an AI backend, looks once helm has given up; all that it names is here.'
  else
    printf 'k8sgpt could not be built: %s' "$(tail -1 "$work/k8sgpt" | cut -c1-300)"
  fi
}

provide_k8sgpt
# Each fault is in the environment's own values once it has been tried there.
cp "${kubeconfig%/*}/values.json" "$work/healthy.json"
number=0
{
  cat << EOT
# The same faults before four tools

Written by \`scripts/compare-verdicts.sh\` on $(date --utc +%F). Each cell: after how many seconds it ended, and its last words. helm and
kubectl wait for ${wait} s at most, kubectl after helm has given up. windtunnel's seconds are those of the whole \`windtunnel up\`, with its
checks and Helm's own work, and without bringing the former release back. $(about_k8sgpt)

| fault | \`helm install --wait\` | \`kubectl rollout status\` | \`k8sgpt analyze\` | \`windtunnel up\` |
|---|---|---|---|---|
EOT
  while IFS='|' read -r title values before after <&3; do
    number=$((number + 1))
    if chosen $number "$@"; then compare "$title" "$values" "$before" "$after"; fi
  done 3< <(faults)
} > "$work/table"
mv "$work/table" "$table"
"$windtunnel" up --name "$name" --profile lite --no-input > "$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
echo "$table" >&2
