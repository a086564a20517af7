# shellcheck shell=sh
# What the shell of the tables may use; it runs in the node.
export KUBECONFIG=/etc/kubernetes/admin.conf

# kubelet LINE...: starts the kubelet anew with these lines in its configuration, and without those of an earlier time
kubelet() {
  (
    cd /var/lib/kubelet || exit
    [ -e kept.yaml ] || cp config.yaml kept.yaml
    cp kept.yaml config.yaml
    for line; do sed -i "/^${line%%:*}:/d" config.yaml; echo "$line" >> config.yaml; done
    systemctl restart kubelet
  )
}

# network_unavailable STATUS: what a network plugin writes into the node's state
network_unavailable() {
  kubectl patch "$(kubectl get nodes --output name)" --subresource status --patch '{"status":{"conditions":[{
    "type":"NetworkUnavailable","status":"'"$1"'","reason":"NoRouteCreated","message":"RouteController failed to create a route",
    "lastTransitionTime":"'"$(date -u +%FT%TZ)"'"}]}}'
}

# helm_killed RELEASE: an installation of somebody else's, of a pod that never runs, that is ended in the middle
helm_killed() {
  mkdir -p /tmp/slow/templates
  echo '{apiVersion: v2, name: slow, version: 1.0.0}' > /tmp/slow/Chart.yaml
  echo '{apiVersion: v1, kind: Pod, metadata: {name: slow}, spec: {nodeSelector: {no: such}, containers: [{name: slow, image: slow}]}}' \
    > /tmp/slow/templates/pod.yaml
  timeout --signal KILL 5 helm install "$1" /tmp/slow --namespace "$N" --wait || [ $? = 137 ]
}
