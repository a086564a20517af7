# The bundle's entries, each written next to the file that it is about, as soon as that is made.
# shellcheck shell=bash disable=SC2154

# entry STAGE FILE FIELDS...: fields are jq's NAME VALUE pairs, in the order of the manifest
entry() {
  local stage=$1 file=$2 sum
  shift 2
  sum=$(sha256sum "$output/bundle/$file")
  jq -n '$ARGS.named | .size |= tonumber' "$@" \
    --arg file "$file" --arg size "$(stat -c %s "$output/bundle/$file")" --arg sha256 "${sum%% *}" > "$output/$stage.json.new"
  from_new "$output/$stage.json"
}

# tool_entry NAME VERSION REFERENCE
tool_entry() {
  entry "$1" "bin/$1" --arg role tool --arg reference "$3" --arg name "$1" --arg version "$2" \
    --arg platform "$(go env GOOS)/$(go env GOARCH)"
}

# image_entry STAGE ROLE VERSION REFERENCE: saves the image from the engine too, and removes the one of the build before
image_entry() {
  local platform id former
  former=$(jq -r .image_id "$output/$1.json" 2> /dev/null || true)
  docker save -o "$output/bundle/$1.tar.new" "$4"
  chmod 644 "$output/bundle/$1.tar.new"
  from_new "$output/bundle/$1.tar"
  platform=$(docker image inspect --format '{{.Os}}/{{.Architecture}}' "$4")
  id=$(docker image inspect --format '{{.Id}}' "$4")
  entry "$1" "$1.tar" --arg role "$2" --arg reference "$4" --arg version "$3" --arg platform "$platform" --arg image_id "$id"
  if [ -n "$former" ] && [ "$former" != "$id" ]; then docker rmi "$former" || true; fi # it may be in use, or gone
}
