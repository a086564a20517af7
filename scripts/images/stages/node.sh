# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(node kubernetes lib/image.sh lib/forget-machine)
versions=(KUBERNETES PAUSE_TAG ETCD_TAG COREDNS_TAG DEBIAN)
after=(kubernetes components postgres airflow)
results=("$output/bundle/node.tar" "$output/node.json")

build() {
  local image=$prefix/node:v$KUBERNETES bare=$prefix/node:bare preloaded
  . "$images/lib/image.sh"
  . "$images/lib/entries.sh"
  export KUBERNETES PAUSE_TAG ETCD_TAG COREDNS_TAG
  make_image "$prefix/kubernetes:v$KUBERNETES" kubernetes "$DEBIAN"
  import_program "$prefix/etcd:$ETCD_TAG" "$output/bin/etcd"
  import_program "$prefix/coredns:$COREDNS_TAG" "$output/bin/coredns"
  import_program "$prefix/pause:$PAUSE_TAG" "$output/bin/pause"
  make_image "$bare" node "$DEBIAN"
  preloaded=("$prefix/"{"kubernetes:v$KUBERNETES","etcd:$ETCD_TAG","coredns:$COREDNS_TAG","pause:$PAUSE_TAG"})
  preload "$bare" "$image" "${preloaded[@]}"
  docker rmi "$bare" "${preloaded[@]}" # the node has all that it needs of them
  image_entry node node "$KUBERNETES" "$image"
}

# preload BARE IMAGE PRELOADED...: BARE with the preloaded images in its containerd. Airflow and PostgreSQL too: importing
# them into a node takes longer than the whole start of its control plane.
preload() {
  local bare=$1 image=$2 container role
  shift 2
  container=$(docker run --detach --privileged --entrypoint containerd "$bare")
  # shellcheck disable=SC2064 # this container
  trap "docker rm --force --volumes $container" EXIT
  wait_for_containerd "$container"
  docker cp "$images/node/preload" "$container:/usr/local/lib/preload"
  for role in airflow postgres; do
    docker exec --interactive "$container" ctr -n k8s.io images import --snapshotter overlayfs - < "$output/bundle/$role.tar"
  done
  docker save "$@" | docker exec --interactive --env "PREFIX=$prefix" --env KUBERNETES --env PAUSE_TAG --env ETCD_TAG \
    --env COREDNS_TAG "$container" /usr/local/lib/preload
  docker kill --signal TERM "$container" # and containerd closes its database
  docker wait "$container"
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' "$container" "$image"
  docker rm --volumes "$container"
  trap - EXIT
}

wait_for_containerd() {
  local deadline=$((SECONDS + 30))
  until docker exec "$1" ctr version > /dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { docker logs "$1"; fail 'containerd in the bare node does not answer after 30 seconds.'; }
    sleep 0.2
  done
}
