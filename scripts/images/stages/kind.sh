# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/kind lib/go.sh)
versions=(KIND)
results=("$output/bundle/bin/kind" "$output/kind.json")

build() {
  . "$images/lib/go.sh"
  . "$images/lib/entries.sh"
  go_build kind sigs.k8s.io/kind "$output/bundle/bin/kind"
  tool_entry kind "$KIND" "sigs.k8s.io/kind@v$KIND"
}
