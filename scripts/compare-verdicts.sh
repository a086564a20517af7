#!/usr/bin/env bash
# Puts the same faults before helm, kubectl, k8sgpt and windtunnel, and writes down what each says and after how long.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root cache=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel
readonly k8sgpt_version=v0.3.50 port=5055
readonly table=$root/scripts/compare-verdicts.md

usage() {
  cat << 'EOT'
Usage: scripts/compare-verdicts.sh NAME [NUMBER...]

On the kind environment NAME, which `windtunnel up --name NAME` (profile lite) has made, causes each fault in a namespace of its
own for `helm install --wait`, `kubectl rollout status` and `k8sgpt analyze`, and in the environment for
`windtunnel up`. Writes the rows into scripts/compare-verdicts.md. Faults are undone; NUMBERs choose some of them.

Needs docker, jq, curl, helm and a built windtunnel: PATH, or WINDTUNNEL and HELM; and the registry server that
`scripts/images/build.sh registry` makes, or REGISTRY. k8sgpt, without an AI backend, is the one on PATH, or is built
from its Go module; where that cannot be had, its column says so. It takes about 20 minutes.

  SECONDS_HELM   how long helm and kubectl may wait (default 20)
EOT
}

if [ $# = 0 ] || [ "$1" = --help ]; then
  usage
  exit 2
fi
readonly name=$1 wait=${SECONDS_HELM:-20}
shift
readonly windtunnel=${WINDTUNNEL:-windtunnel} helm=${HELM:-helm} other=$name-other node=$name-control-plane
work=$(mktemp -d)
registry=
trap '[ -z "$registry" ] || stop_registry; rm -rf "$work"' EXIT
kubeconfig=$("$windtunnel" kubeconfig --name "$name")
readonly kubeconfig

kubectl() { docker exec -i "$node" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }

# One fault a line: title | values of the chart | shell before | shell that is run again and again meanwhile | shell after. The shell has the
# namespace as $1 and the release as $2. What is done meanwhile is a change to what Helm has made, which Helm would undo if it came first.
faults() {
  sed "s/PORT/$port/" << 'EOT'
a tag that the registry does not have|{"images":{"airflow":"localhost:PORT/acme/none:1"}}|:|:|:
an image for another processor|{"images":{"airflow":"localhost:PORT/acme/other:1"}}|:|:|:
a registry that cannot be reached|{"images":{"airflow":"registry.invalid/acme/airflow:1"}}|:|:|:
an image that must not be pulled|{"env":{"A":"1"}}|:|airflow "$@" '{"name":"scheduler","image":"windtunnel.local/no-such:1","imagePullPolicy":"Never"}'|:
a scheduler that crashes|{"env":{"A":"2"}}|:|airflow "$@" '{"name":"scheduler","args":["python","-c","raise SystemExit(\"no such pool\")"]}'|:
a Secret that is not there|{"env":{"A":"3"}}|:|airflow "$@" '{"name":"scheduler","envFrom":[{"secretRef":{"name":"no-such"}}]}'|:
a web server that needs more memory than its limit|{"resources":{"apiServer":{"requests":{"memory":"32Mi"},"limits":{"memory":"32Mi"}}}}|:|:|:
more cpu than the node has|{"resources":{"scheduler":{"requests":{"cpu":"100"}}}}|:|:|:
more memory than the node has|{"resources":{"scheduler":{"requests":{"memory":"900Gi"}}}}|:|:|:
a claim without a storage class|{"env":{"A":"4"}}|default_class false; forget_logs "$@"|:|default_class true; await_class "$@"
a quota without room|{"env":{"A":"5"}}|kubectl -n "$1" create quota small --hard=pods=1|:|kubectl -n "$1" delete quota small
a database whose password was changed|{"env":{"A":"10"}}|:|password "$@" other|password "$@" "$(right_password)"
a Service of the database that leads nowhere|{"env":{"A":"11"}}|:|kubectl -n "$1" patch service "$2-database" -p '{"spec":{"selector":{"app.kubernetes.io/component":"nobody"}}}'|:
an admission webhook that does not answer|{"env":{"A":"9"}}|webhook "$1"|:|kubectl delete validatingwebhookconfiguration gone
a taint on the node|{"env":{"A":"7"}}|kubectl taint nodes --all team=other:NoSchedule|:|kubectl taint nodes --all team-
a setting that names what is not there|{"env":{"AIRFLOW__CORE__AUTH_MANAGER":"no_such.AuthManager"}}|:|:|:
a cluster without DNS|{"env":{"A":"12"}}|kubectl -n kube-system scale deployment coredns --replicas=0|:|kubectl -n kube-system scale deployment coredns --replicas=2
a limit range below what is asked for|{"env":{"A":"6"}}|limit_range "$1"|:|kubectl -n "$1" delete limitrange low
a node that was cordoned|{"env":{"A":"8"}}|kubectl cordon "$node"|:|kubectl uncordon "$node"
a setting that is no number|{"env":{"AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE":"many"}}|:|:|:
EOT
}

# airflow NAMESPACE RELEASE CONTAINER: changes one of the Airflow pod's containers
airflow() { kubectl -n "$1" patch deployment "$2-airflow" -p '{"spec":{"template":{"spec":{"containers":['"$3"']}}}}'; }

# password NAMESPACE RELEASE PASSWORD: gives the database's user another one
password() { kubectl -n "$1" exec "$2-database-0" -- psql -U airflow -d airflow -c "ALTER USER airflow PASSWORD '$3'"; }
right_password() { kubectl -n "$name" get secret "$name-credentials" -o jsonpath='{.data.database-password}' | base64 -d; }

default_class() {
  kubectl patch storageclass standard -p '{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"'"$1"'"}}}'
}

# Kubernetes looks every 15 s whether there is one by now.
await_class() { kubectl -n "$1" wait pvc "$2-logs" --for='jsonpath={.spec.storageClassName}=standard' --timeout=30s; }

# The claim of the logs is made anew then.
forget_logs() {
  kubectl -n "$1" delete deployment "$2-airflow" --ignore-not-found --cascade=foreground
  kubectl -n "$1" delete pvc "$2-logs" --ignore-not-found
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

# The reference registry server, on this machine and in the node, for `localhost` is either of them. Nothing is in it but an image for s390x.
start_registry() {
  local program=${REGISTRY:-$cache/build/output/bin/registry}
  mkdir -p "$work/images"
  registry_settings "$work/images" > "$work/registry.yml"
  "$program" serve "$work/registry.yml" > "$work/registry.log" 2>&1 &
  registry=$!
  within 20 curl --fail --silent --output /dev/null "http://localhost:$port/v2/" || { cat "$work/registry.log" >&2; return 1; }
  push_other "http://localhost:$port/v2/acme/other"
  registry_settings /var/registry | docker exec -i "$node" sh -c 'cat > /var/registry.yml'
  docker cp --quiet "$work/images" "$node:/var/registry"
  docker cp --quiet "$program" "$node:/usr/local/bin/registry"
  docker exec -d "$node" sh -c 'echo $$ > /run/registry.pid; exec registry serve /var/registry.yml'
}

registry_settings() {
  printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$1" $port
}

stop_registry() {
  kill "$registry"
  docker exec "$node" sh -c 'kill "$(cat /run/registry.pid)"' || true
}

# push_other URL: an index whose one image is for another processor
push_other() {
  local type=application/vnd.oci.image location config manifest
  config='{"architecture":"s390x","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'
  location=$(curl --fail --silent --request POST --dump-header - --output /dev/null "$1/blobs/uploads/" | sed -n 's/^[Ll]ocation: \(.*\)\r$/\1/p')
  curl --fail --silent --request PUT --header 'Content-Type: application/octet-stream' --data-binary "$config" "$location&digest=$(digest "$config")"
  manifest='{"schemaVersion":2,"mediaType":"'$type'.manifest.v1+json","config":'$(described $type.config.v1+json "$config")',"layers":[]}'
  put $type.manifest.v1+json "$manifest" "$1/manifests/$(digest "$manifest")"
  put $type.index.v1+json '{"schemaVersion":2,"mediaType":"'$type'.index.v1+json","manifests":['"$(described $type.manifest.v1+json "$manifest" |
    jq --compact-output '. + {platform: {architecture: "s390x", os: "linux"}}')"']}' "$1/manifests/1"
}

digest() { printf 'sha256:%s' "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }
described() { printf '{"mediaType":"%s","digest":"%s","size":%s}' "$1" "$(digest "$2")" ${#2}; }
put() { curl --fail --silent --show-error --request PUT --header "Content-Type: $1" --data-binary "$2" "$3"; }

# The one on PATH, or else one built in the cache, never in the user's own folders; the modules' checksums are verified as ever.
# Not by `go install`, which refuses a module that replaces others.
k8sgpt=$(command -v k8sgpt || true)
provide_k8sgpt() {
  [ -z "$k8sgpt" ] || return 0
  [ -x "$cache/tools/bin/k8sgpt" ] || build_k8sgpt "$cache/tools/bin/k8sgpt" > "$work/k8sgpt" 2>&1 || return 0
  k8sgpt=$cache/tools/bin/k8sgpt
}

build_k8sgpt() {
  local source
  source=$(cd "$work" && go mod download -json "github.com/k8sgpt-ai/k8sgpt@$k8sgpt_version" | jq --raw-output '.Dir // (.Error | halt_error)') || return 1
  cp -R "$source" "$work/source"
  chmod -R u+w "$work/source"
  (cd "$work/source" && CGO_ENABLED=0 timeout 1800 go build -ldflags "-X main.version=$k8sgpt_version" -o "$1" .)
}

# within SECONDS COMMAND...: until the command succeeds
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" > "$work/within" 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.2
  done
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
problems() {
  local named
  named=$(sed -n 's/\x1b\[[0-9;]*m//g; s/^- Error: //p' "$1" | tr '|\n' '/;' | sed 's/;$//; s/;/; /g' | cut -c1-400)
  printf %s "${named:-$(cell "$1")}"
}

# What `up` ended with: code, object, the first evidence, and the next command.
verdict() {
  local said words='select(.event == "failure") | "\(.code) \(.cause): \(.message). \(.evidence[0] // "" | .[:200]). Hint: \(.hints[0])"'
  said=$(grep '^{' "$1" | jq --raw-output "$words" | tr '|\n' '/ ' | sed 's/  */ /g; s/\.\.* *\. /. /; s/ $//')
  printf %s "${said:-$(cell "$1")}"
}

release_other() { "$helm" install other "$work/chart" --kubeconfig "$kubeconfig" --namespace "$other" --values "$work/values.json" "$@"; }
rollout_other() {
  within 10 kubectl -n "$other" get deployment other-airflow
  kubectl -n "$other" rollout status deployment/other-airflow --timeout "${wait}s"
}

# again_and_again SHELL NAMESPACE RELEASE: in the background, once a second, until it is ended
again_and_again() {
  local line=$1
  shift
  touch "$work/again"
  while [ "$line" != : ] && [ -e "$work/again" ]; do eval "$line" || true; sleep 1; done >> "$work/log" 2>&1 &
  background=$!
}
end_background() {
  rm "$work/again"
  wait $background
}

# now SHELL NAMESPACE RELEASE: what does not fit one of the two need not succeed
now() { (set +e; line=$1; shift; eval "$line") >> "$work/log" 2>&1 || true; }

compare() {
  local title=$1 values=$2 before=$3 meanwhile=$4 after=$5 seconds installing
  echo "$(date +%T) $title" >&2
  kubectl delete namespace "$other" --ignore-not-found > "$work/log" 2>&1
  kubectl create namespace "$other" >> "$work/log" 2>&1
  kubectl -n "$name" get secret "$name-credentials" -o json | jq 'del(.metadata.resourceVersion, .metadata.uid, .metadata.managedFields) | .metadata.namespace = "'"$other"'"' |
    kubectl apply -f - >> "$work/log" 2>&1
  cp -R "$root/profiles/lite" "$work/chart"
  # A small node must have room for both: the other release asks for next to no cpu, where that is not the fault.
  jq --argjson more "$values" --argjson modest "$modest" '. * $modest * $more | .dags = {} | .smoke = {}' "$work/healthy.json" > "$work/values.json"
  now "$before" "$other" other
  again_and_again "$meanwhile" "$other" other

  timed "$work/helm" release_other --wait --timeout "${wait}s" > "$work/helm.seconds" &
  installing=$!
  seconds=$(timed "$work/rollout" rollout_other)
  wait $installing
  printf '| %s ' "$title"
  printf '| %s s: %s ' "$(cat "$work/helm.seconds")" "$(cell "$work/helm")"
  printf '| %s s: %s ' "$seconds" "$(cell "$work/rollout")"
  if [ -n "$k8sgpt" ]; then
    seconds=$(timed "$work/analyze" "$k8sgpt" analyze --kubeconfig "$kubeconfig" --namespace "$other")
    printf '| %s s: %s ' "$seconds" "$(problems "$work/analyze")"
  else
    printf '| not built '
  fi
  end_background
  now "$after" "$other" other
  kubectl delete namespace "$other" --wait=false >> "$work/log" 2>&1
  rm -rf "$work/chart"

  # The environment's own pod is made anew under the same fault.
  printf 'description: A fault.\n%s\nvalues: %s\n' "$(grep -v '^description\|^#' "$root/profiles/lite.yaml")" "$values" > "$work/fault.yaml"
  now "$before" "$name" "$name"
  again_and_again "$meanwhile" "$name" "$name"
  seconds=$(timed "$work/windtunnel" "$windtunnel" up --name "$name" --profile "$work/fault.yaml" --no-input --no-rollback --output json)
  printf '| %s s: %s |\n' "$seconds" "$(verdict "$work/windtunnel")"
  end_background
  now "$after" "$name" "$name"
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
    printf '%s, without an AI backend, looks once both have given up; all that it names is here.' "$("$k8sgpt" version | sed -n '1{s/: / /;s/ (.*//;p}')"
  else
    printf 'k8sgpt could not be built: %s' "$(tail -1 "$work/k8sgpt" | cut -c1-300)"
  fi
}

provide_k8sgpt
start_registry
# Each fault is in the environment's own values once it has been tried there.
cp "${kubeconfig%/*}/values.json" "$work/healthy.json"
number=0
{
  cat << EOT
# The same faults before four tools

Written by \`scripts/compare-verdicts.sh\` on $(date --utc +%F). Each cell: after how many seconds it ended, and its last words.

helm and kubectl were told to wait for ${wait} s at most; left alone, \`helm install --wait\` waits for five minutes and \`kubectl rollout
status\` for the ten of the Deployment's own deadline, for neither looks for a cause. $(about_k8sgpt)
windtunnel's seconds are those of the whole \`windtunnel up\`, with its checks and Helm's own work, and without bringing the former
release back; its cell has the code, the object, the first evidence and the first hint.

| fault | \`helm install --wait\` | \`kubectl rollout status\` | \`k8sgpt analyze\` | \`windtunnel up\` |
|---|---|---|---|---|
EOT
  while IFS='|' read -r title values before meanwhile after <&3; do
    number=$((number + 1))
    if chosen $number "$@"; then compare "$title" "$values" "$before" "$meanwhile" "$after"; fi
  done 3< <(faults)
  printf '\nThe machine has %s cores; its load in the last 15 minutes was %s.\n' "$(nproc)" "$(cut -d' ' -f3 /proc/loadavg)"
} > "$work/table"
mv "$work/table" "$table"
"$windtunnel" up --name "$name" --profile lite --no-input > "$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
echo "$table" >&2
