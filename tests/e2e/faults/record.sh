#!/usr/bin/env bash
# Records what a verdict looks at, as a fixture of src/cluster/verdict/testdata/recorded.
set -euo pipefail

usage() {
  cat << 'EOT'
Usage: tests/e2e/faults/record.sh NODE NAMESPACE ENVIRONMENT CODE FILE [WORKLOAD]

Writes into FILE the objects of NAMESPACE and the nodes, as the API server in the container NODE has them now, the logs
of the containers of pods that are not ready, and that the verdict on them is to be CODE. Fields that no verdict looks at are
left out. WORKLOAD is what is waited for, as `deployment/airflow`, `stateful_set/airflow` or `job/airflow`; without it
those of the lite chart are. Needs docker and jq. `WINDTUNNEL_E2E_RECORD=FOLDER cargo test --test e2e faults` does it for every fault.
EOT
}

[ $# = 5 ] || [ $# = 6 ] || { usage >&2; exit 2; }
readonly node=$1 namespace=$2 environment=$3 code=$4 file=$5 workload=${6:-}

work=$(mktemp)
trap 'rm -f "$work"' EXIT

kubectl() { docker exec "$node" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }

# What a verdict may look at, and no more: a recording is to be read.
# shellcheck disable=SC2016 # these are variables of jq
readonly lean='
  def meta: {name, namespace, uid, generation, creationTimestamp, deletionTimestamp, labels, annotations, ownerReferences} |
    .annotations |= (. // {} | with_entries(select(.key | test("deployment.kubernetes.io/revision$|selected-node$")))) |
    .ownerReferences |= (. // [] | map({apiVersion, kind, name, uid, controller})) |
    .labels |= (. // {} | with_entries(select(.key | test("hash|job-name|component"))));
  def container: {name, image, restartPolicy, resources, startupProbe, readinessProbe: (.readinessProbe | if . then {} else null end)};
  def lean: (.metadata |= meta) |
    if .kind == "Pod" then .spec |= {restartPolicy, schedulingGates, containers: (.containers | map(container)),
        initContainers: (.initContainers // [] | map(container)), volumes: (.volumes | map({name, persistentVolumeClaim}))} |
      .status |= {phase, reason, message, conditions, initContainerStatuses, containerStatuses} |
      del(.status[]?[]?.volumeMounts?, .status[]?[]?.user?, .status[]?[]?.allocatedResources?, .status[]?[]?.resources?)
    elif .kind == "Node" then {apiVersion, kind, metadata: {name: .metadata.name, uid: .metadata.uid},
        spec: {taints: .spec.taints, unschedulable: .spec.unschedulable}, status: {conditions: .status.conditions, nodeInfo: .status.nodeInfo}}
    elif .kind == "Event" then del(.source, .reportingComponent, .reportingInstance, .type) | .metadata |= {name, creationTimestamp}
    elif .kind == "PersistentVolumeClaim" then .
    else .spec |= {replicas, selector, serviceName} | .spec.template = {} end |
    del(.. | nulls);
  lean'

# A namespace that is being deleted, and what is left in it; nothing of another one.
leaving() {
  local kinds
  kubectl get namespace "$namespace" --output json |
    jq --compact-output 'select(.metadata.deletionTimestamp) | {apiVersion, kind, metadata: (.metadata | {name, deletionTimestamp}), status}' > "$work"
  [ -s "$work" ] || return 0
  sed 's/^/---\n/' "$work"
  kinds=$(kubectl api-resources --namespaced --verbs=list --output=name | grep -v '^events' | paste -sd,)
  kubectl get "$kinds" --namespace "$namespace" --output json |
    jq --compact-output '{kind: "Leaving", items: [.items[] | {kind, metadata: (.metadata | {name, deletionTimestamp, finalizers})} | del(.. | nulls)]}' |
    sed 's/^/---\n/'
}

# How Helm keeps the revisions of its releases: the labels tell their state. What is in them is nobody's business.
releases() {
  kubectl get secrets --namespace "$namespace" --selector owner=helm --output json |
    jq --compact-output '.items[] | {apiVersion: "v1", kind: "Secret", metadata: (.metadata | {name, labels})}' | sed 's/^/---\n/'
}

# Whether it is ready, and what it is doing if it is not.
# shellcheck disable=SC2016 # these are variables of jq
readonly dns='{apiVersion, kind, metadata: (.metadata | {name, namespace, creationTimestamp}),
  spec: {containers: (.spec.containers | map({name}))},
  status: {phase: .status.phase, conditions: (.status.conditions | map(select(.type == "Ready"))),
    containerStatuses: (.status.containerStatuses // [] | map({name, ready, restartCount, state, image, imageID}))}}'

# Whom the events of the last quarter of an hour are about must be there still.
# shellcheck disable=SC2016 # these are variables of jq
readonly recent='
  (now - 900) as $since | [.items[] | select(.kind != "Event") | .metadata.uid] as $there |
  .items[] | select(.kind != "ReplicaSet" or .spec.replicas > 0) |
  select(.kind != "Event" or ((.involvedObject.uid | IN($there[])) and ((.lastTimestamp // .eventTime // .metadata.creationTimestamp) | sub("\\.[0-9]+"; "") | fromdate) > $since))'

# One object a line, which is YAML as well.
objects() { kubectl get "$@" --output json | jq --compact-output "$recent | $lean" | sed 's/^/---\n/'; }

# log POD CONTAINER RESTARTS RUNNING [--previous]
log() {
  local lines previous=false
  [ "${5:-}" != --previous ] || previous=true
  lines=$(kubectl logs --namespace "$namespace" "$1" --container "$2" --tail 40 "${@:5}" 2> /dev/null) || return 0
  printf -- '---\n'
  jq --null-input --compact-output --arg pod "$1" --arg container "$2" --argjson restarts "$3" --argjson running "$4" \
    --argjson previous $previous --arg lines "$lines" \
    '{kind: "Log", pod: $pod, container: $container, previous: $previous, restarts: $restarts, running: $running,
      lines: ($lines | split("\n") | map(.[:300]))}'
}

logs() {
  kubectl get pods --namespace "$namespace" --output json | jq --raw-output '
    .items[] | select(any(.status.conditions[]?; .type == "Ready" and .status == "True") | not)
    | .metadata.name as $pod | (.status.initContainerStatuses // []) + (.status.containerStatuses // []) | .[]
    | [$pod, .name, .restartCount, (.state.running != null), (.state.waiting.reason == "CrashLoopBackOff")] | @tsv' |
    while IFS=$'\t' read -r pod container restarts running crashed; do
      if [ "$crashed" = true ]; then
        log "$pod" "$container" "$restarts" false --previous < /dev/null
      else
        log "$pod" "$container" "$restarts" "$running" < /dev/null
      fi
    done
}

version=$(kubectl get nodes --output 'jsonpath={.items[0].status.nodeInfo.kubeletVersion}')
{
  echo "# Recorded by tests/e2e/faults/record.sh from Kubernetes ${version}; fields that no verdict looks at are left out."
  echo "{kind: Recording, code: $code, namespace: $namespace, environment: $environment, at: \"$(date --utc +%FT%TZ)\"${workload:+, workload: $workload}}"
  objects nodes
  objects pods,events,persistentvolumeclaims,deployments,replicasets,statefulsets,jobs --namespace "$namespace"
  kubectl get pods --namespace kube-system --selector k8s-app=kube-dns --output json |
    jq --compact-output "{kind: \"Dns\", items: [.items[] | $lean | $dns]}" | sed 's/^/---\n/'
  logs
  leaving
  releases
} > "$file"
