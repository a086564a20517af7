# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(go/kubernetes lib/go.sh)
versions=(KUBERNETES)
results=("$output/bin/kubernetes")

build() {
  local component=k8s.io/component-base/version client=k8s.io/client-go/pkg/version minor=${KUBERNETES#*.}
  . "$images/lib/go.sh"
  go_build kubernetes . "$output/bin/kubernetes" \
    "-X $component.gitVersion=v$KUBERNETES -X $component.gitMajor=${KUBERNETES%%.*} -X $component.gitMinor=${minor%%.*} \
     -X $component.gitTreeState=clean -X $client.gitVersion=v$KUBERNETES"
}
