# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(redis lib/image.sh lib/forget-machine)
versions=(DEBIAN)
results=("$output/bundle/redis.tar" "$output/redis.json")

build() {
  local version
  . "$images/lib/image.sh"
  . "$images/lib/entries.sh"
  make_image "$prefix/redis:new" redis "$DEBIAN"
  version=$(< "$work/version")
  docker tag "$prefix/redis:new" "$prefix/redis:$version"
  docker rmi "$prefix/redis:new"
  image_entry redis redis "$version" "$prefix/redis:$version"
}
