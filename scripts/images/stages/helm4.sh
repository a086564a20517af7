# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/helm4 lib/go.sh)
versions=(HELM4)
results=("$output/bin/helm4")

build() {
  . "$images/lib/go.sh"
  go_build helm4 helm.sh/helm/v4/cmd/helm "$output/bin/helm4" \
    "-X helm.sh/helm/v4/internal/version.version=v$HELM4 -X helm.sh/helm/v4/internal/version.gitTreeState=clean"
}
