# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(postgres lib/image.sh lib/forget-machine)
versions=(POSTGRES DEBIAN_POSTGRES)
results=("$output/bundle/postgres.tar" "$output/postgres.json")

build() {
  local version
  . "$images/lib/image.sh"
  . "$images/lib/entries.sh"
  make_image "$prefix/postgres:new" postgres "$DEBIAN_POSTGRES"
  version=$(< "$work/version")
  docker tag "$prefix/postgres:new" "$prefix/postgres:$version"
  docker rmi "$prefix/postgres:new"
  image_entry postgres database "$version" "$prefix/postgres:$version"
}
