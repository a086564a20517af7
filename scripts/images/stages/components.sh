# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/etcd go/coredns go/crictl node/pause.c lib/go.sh)
results=("$output/bin/etcd" "$output/bin/coredns" "$output/bin/crictl" "$output/bin/pause")

build() {
  . "$images/lib/go.sh"
  go_build etcd . "$output/bin/etcd"
  go_build coredns . "$output/bin/coredns"
  go_build crictl sigs.k8s.io/cri-tools/cmd/crictl "$output/bin/crictl"
  gcc -Os -static -s -o "$output/bin/pause.new" "$images/node/pause.c"
  from_new "$output/bin/pause"
}
