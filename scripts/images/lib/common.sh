# Names, places and small words that build.sh, its stages and their scripts share.
# shellcheck shell=bash disable=SC1091,SC2154
. "$images/versions.env"

export prefix=windtunnel.local
export cache=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel
export bundle=${bundle:-$cache/bundle}
export airflow=${airflow:-airflow} # the stage that makes the bundle's Airflow
export state=$cache/build/state   # one stamp for each stage
export output=$cache/build/output # what the stages made
export logs=$cache/build/logs

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# from_new FILE: moves FILE.new, which is complete now, to its place
from_new() { mv -f "$1.new" "$1"; }
