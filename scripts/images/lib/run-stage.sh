#!/usr/bin/env bash
# run-stage.sh [--is-current] STAGE: does the stage's work unless its result is there and made from the same inputs.
#
# A stage is a file stages/STAGE.sh that sets `inputs` (files and folders of scripts/images), `versions` (names from
# versions.env), `after` (stages), `results` (files) and a function `build` that makes the results.
# shellcheck disable=SC1091,SC2154
set -euo pipefail
. "$images/lib/common.sh"

only_ask=no
if [ "$1" = --is-current ]; then
  only_ask=yes
  shift
fi
stage=$1
stamp=$state/$stage
inputs=() versions=() after=() results=()
# shellcheck source=/dev/null
. "$images/stages/$stage.sh"

# Everything that decides what the stage makes: files with their modes, versions, and the same of the stages before.
fingerprint() {
  local name
  {
    (cd "$images" && find "stages/$stage.sh" "${inputs[@]}" -type f -printf '%p %m\n' -exec sha256sum {} + | sort)
    for name in "${versions[@]}"; do echo "$name ${!name}"; done
    for name in "${after[@]}"; do head -n 1 "$state/$name" 2> /dev/null || echo "$name is not there"; done
  } | sha256sum
}

# The stamp: the fingerprint, and each result with its size.
print_stamp() {
  echo "$1"
  stat -c '%s %n' "${results[@]}"
}

wanted=$(fingerprint)
is_current() { [ -e "$stamp" ] && print_stamp "$wanted" 2> /dev/null | cmp -s - "$stamp"; }

# Results that belong to the bundle are there under two names of one file. A manifest that they no longer fit goes
# first. An Airflow for another bundle may have been built on the way.
publish() {
  local result target
  case $stage in airflow | official-2 | community) [ "$stage" = "$airflow" ] || return 0 ;; esac
  for result in "${results[@]}"; do
    [[ $result == "$output/bundle/"* ]] || continue
    target=$bundle/${result#"$output/bundle/"}
    if [ "$target" -ef "$result" ] || cmp -s "$target" "$result"; then continue; fi
    rm -f "$bundle/bundle.json"
    mkdir -p "${target%/*}"
    cp --force --link "$result" "$target.new" 2> /dev/null || cp --force "$result" "$target.new"
    from_new "$target"
  done
}

if [ $only_ask = yes ]; then
  is_current
  exit
fi

started=$SECONDS
if is_current; then
  publish
  printf '%-11s up to date\n' "$stage"
  exit
fi

log=$logs/$stage.log
mkdir -p "$output/bundle/bin" "$output/bin"
work=$(mktemp -d "$cache/build/$stage.XXXXXX")
export work
trap 'rm -rf "$work"' EXIT
rm -f "$stamp"
# In a shell of its own, for a shell that is asked whether a function failed does not stop at the first failure in it.
(
  set -euo pipefail
  build
) > "$log" 2>&1 &
if ! wait $!; then
  {
    printf '%-11s failed after %s s. The end of its log:\n' "$stage" $((SECONDS - started))
    tail -n 15 "$log" | sed 's/^/    /'
    say "All of it: $log"
    say "Once the cause is gone, run build.sh again: it goes on from here."
  } >&2
  exit 1
fi
print_stamp "$wanted" > "$stamp.new"
from_new "$stamp"
publish
printf '%-11s %3s s\n' "$stage" $((SECONDS - started))
