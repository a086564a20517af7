#!/usr/bin/env bash
# Records what a verdict looks at, as a fixture of src/cluster/verdict/testdata/recorded.
set -euo pipefail

usage() {
  cat << 'EOT'
Usage: tests/e2e/faults/record.sh NODE NAMESPACE ENVIRONMENT CODE FILE

Writes into FILE the objects of NAMESPACE and the nodes, as the API server in the container NODE has them now, the logs
of the containers that are not ready, and that the verdict on them is to be CODE. Fields that no verdict looks at are
left out. Needs docker and jq. `WINDTUNNEL_E2E_RECORD=FOLDER cargo test --test e2e faults` does it for every fault.
EOT
}

[ $# = 5 ] || { usage >&2; exit 2; }
readonly node=$1 namespace=$2 environment=$3 code=$4 file=$5

kubectl() { docker exec "$node" kubectl --kubeconfig=/etc/kubernetes/admin.conf "$@"; }

readonly lean='
  del(.metadata.managedFields, .metadata.resourceVersion, .metadata.selfLink,
      .metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"], .metadata.annotations["meta.helm.sh/release-name"],
      .metadata.annotations["meta.helm.sh/release-namespace"])
  | if .kind == "Pod" then
      del(.spec.tolerations, .spec.securityContext, .spec.dnsConfig, .spec.priority, .spec.serviceAccount, .status.hostIPs, .status.podIPs)
      | del(.spec.containers[]?.volumeMounts, .spec.initContainers[]?.volumeMounts)
      | del(.spec.containers[]?.env, .spec.initContainers[]?.env)
      | del(.status.containerStatuses[]?.volumeMounts, .status.initContainerStatuses[]?.volumeMounts)
    elif .kind == "Node" then
      del(.status.images, .status.addresses, .metadata.annotations, .status.runtimeHandlers, .status.nodeInfo.machineID, .status.nodeInfo.systemUUID, .status.nodeInfo.bootID)
    elif (.kind == "Deployment" or .kind == "StatefulSet" or .kind == "ReplicaSet" or .kind == "Job") then
      del(.spec.template.spec, .spec.volumeClaimTemplates)
    else . end'

# One object a line, which is YAML as well.
objects() { kubectl get "$@" --output json | jq --compact-output ".items[] | $lean" | sed 's/^/---\n/'; }

# log POD CONTAINER RESTARTS RUNNING [--previous]
log() {
  local lines previous=false
  [ "${5:-}" != --previous ] || previous=true
  lines=$(kubectl logs --namespace "$namespace" "$1" --container "$2" --tail 120 "${@:5}" 2> /dev/null) || return 0
  printf -- '---\n'
  jq --null-input --compact-output --arg pod "$1" --arg container "$2" --argjson restarts "$3" --argjson running "$4" \
    --argjson previous $previous --arg lines "$lines" \
    '{kind: "Log", pod: $pod, container: $container, previous: $previous, restarts: $restarts, running: $running,
      lines: ($lines | split("\n"))}'
}

logs() {
  kubectl get pods --namespace "$namespace" --output json | jq --raw-output '
    .items[] | .metadata.name as $pod | (.status.initContainerStatuses // []) + (.status.containerStatuses // []) | .[]
    | select(.ready | not)
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
  echo "{kind: Recording, code: $code, namespace: $namespace, environment: $environment, at: \"$(date --utc +%FT%TZ)\"}"
  objects nodes
  objects pods,events,persistentvolumeclaims,deployments,replicasets,statefulsets,jobs --namespace "$namespace"
  kubectl get pods --namespace kube-system --selector k8s-app=kube-dns --output json |
    jq --compact-output "{kind: \"Dns\", items: [.items[] | $lean]}" | sed 's/^/---\n/'
  logs
} > "$file"
