# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/helm lib/go.sh)
versions=(HELM)
results=("$output/bundle/bin/helm" "$output/helm.json")

build() {
  . "$images/lib/go.sh"
  . "$images/lib/entries.sh"
  go_build helm helm.sh/helm/v3/cmd/helm "$output/bundle/bin/helm" \
    "-X helm.sh/helm/v3/internal/version.version=v$HELM -X helm.sh/helm/v3/internal/version.gitTreeState=clean"
  tool_entry helm "$HELM" "helm.sh/helm/v3@v$HELM"
}
