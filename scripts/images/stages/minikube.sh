# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/minikube lib/go.sh)
versions=(MINIKUBE)
results=("$output/bundle/bin/minikube" "$output/minikube.json")

build() {
  local version=k8s.io/minikube/pkg/version
  . "$images/lib/go.sh"
  . "$images/lib/entries.sh"
  go_build minikube . "$output/bundle/bin/minikube" "-X $version.version=v$MINIKUBE"
  tool_entry minikube "$MINIKUBE" "k8s.io/minikube@v$MINIKUBE"
}
