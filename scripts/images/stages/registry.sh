# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/registry lib/go.sh)
versions=(REGISTRY)
results=("$output/bin/registry")

build() {
  . "$images/lib/go.sh"
  go_build registry github.com/distribution/distribution/v3/cmd/registry "$output/bin/registry" \
    "-X github.com/distribution/distribution/v3/version.version=v$REGISTRY"
}
