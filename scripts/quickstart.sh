#!/usr/bin/env bash
# From a clone of this project to a running Airflow on a local Kubernetes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=stage.sh
. "$root/scripts/stage.sh"

readonly cache=${XDG_CACHE_HOME:-$HOME/.cache}/windtunnel
readonly logs=$cache/logs
readonly registry=https://registry-1.docker.io/v2/
readonly registry_seconds=4

usage() {
  cat << 'EOT'
Usage: scripts/quickstart.sh [--yes] [-- OPTIONS OF `windtunnel up`...]

Builds windtunnel and installs it to a folder on PATH, sees to a Docker Engine, kind, Helm and the images, and brings
Airflow up at http://127.0.0.1:7070. Run it again at any time: what is there stays as it is.

  --yes    do not ask before a Docker Engine is installed
  --help   this text

Images are pulled if the container registry answers within seconds. If not, they are built from package registries
(scripts/images/build.sh), which takes about 13 minutes the first time, on two processors. It needs Rust and a C
compiler; for building kind, Helm or images Go and Python too. Your DAGs are those of ./dags, or:

  scripts/quickstart.sh -- --dags ~/my-dags --port 8080

Exit status: 0 Airflow is up; that of `windtunnel up` if it failed; 1 for what comes before.
EOT
}

yes=()
up=()
while [ $# -gt 0 ]; do
  case $1 in
    --yes | -y) yes=(--yes) ;;
    --help | -h) usage; exit ;;
    --) shift; up=("$@"); break ;;
    *) usage >&2; printf '\nUnknown argument: %s\n' "$1" >&2; exit 2 ;;
  esac
  shift
done

fail() {
  printf '\n' >&2
  printf '%s\n' "$@" >&2
  exit 1
}

# stage NAME TITLE HINT COMMAND...: ends the script if the command fails
stage() {
  run_stage "$2" "$logs/$1.log" "${@:4}"
  [ "$stage_status" = 0 ] && return
  last_words "$logs/$1.log" 20 >&2
  fail "error: this failed: $2. All of its log: $logs/$1.log" "hint: $3"
}

# Where images come from: bundle if the user names one, registry, or packages.
choose_source() {
  if [[ " ${up[*]-}" == *" --bundle"* ]] || [ -n "${WINDTUNNEL_BUNDLE:-}" ]; then
    echo bundle
  elif registry_answers; then
    echo registry
  else
    echo packages
  fi
}

# It answers with 401 to whoever does not log in; anything else is a proxy's or a sign-in page's answer.
registry_answers() {
  if has curl; then
    [ "$(curl --silent --head --max-time $registry_seconds --output /dev/null --write-out '%{http_code}' $registry)" = 401 ]
  elif has python3; then
    python3 - $registry $registry_seconds << 'EOT'
import signal, sys, urllib.error, urllib.request
signal.alarm(int(sys.argv[2]))  # looking the name up knows no timeout
try:
    urllib.request.urlopen(sys.argv[1])
except urllib.error.HTTPError as answer:
    sys.exit(answer.code != 401)
except OSError:
    pass
sys.exit(1)
EOT
  else
    return 1
  fi
}

# Names everything that is missing at once, before anything is built.
check_machine() {
  local missing=() wanted found
  has cc || missing+=('a C compiler (Debian: gcc libc6-dev; macOS: xcode-select --install)')
  has cargo || missing+=('Rust (https://rustup.rs)')
  if [ "$source" = packages ] || { [ "$source" = registry ] && ! { has kind && has helm; }; }; then
    has go || missing+=('Go (Debian: golang-go; https://go.dev/dl)')
  fi
  if [ "$source" = packages ]; then
    has git || missing+=('git')
    has python3 || missing+=('Python 3 with venv (Debian: python3 python3-venv)')
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    printf 'missing: %s\n' "${missing[@]}"
    return 1
  fi
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  found=$(cd "$root" && cargo --version | cut -d ' ' -f 2)
  if ! at_least "$found" "$wanted"; then
    echo "missing: Rust $wanted or newer; here it is $found"
    return 1
  fi
  case $source in
    bundle) echo "Rust $found; images come from your bundle" >&3 ;;
    registry) echo "Rust $found; the container registry answers: images are pulled" >&3 ;;
    packages) echo "Rust $found; no container registry answers: images from packages" >&3 ;;
  esac
}

# at_least FOUND WANTED: versions of numbers and dots
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" = "$2" ] || [[ $1 == "$2".* ]]; }

# The first folder on PATH that is the user's own to write to, in the order of habit.
choose_folder() {
  local folder
  for folder in "$HOME/.local/bin" "${CARGO_HOME:-$HOME/.cargo}/bin" "$HOME/bin" /usr/local/bin; do
    if [[ :$PATH: == *":$folder:"* ]] && mkdir -p "$folder" 2> /dev/null && [ -w "$folder" ] && [ -O "$folder" ]; then
      echo "$folder"
      return
    fi
  done
  echo "$HOME/.local/bin"
}

build_program() {
  cd "$root"
  cargo build --release --locked --bin windtunnel --message-format json-render-diagnostics > "$logs/cargo.json"
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$logs/cargo.json" > "$logs/program"
  "$(cat "$logs/program")" --version >&3
}

# In one step, for a forward may be running from the old one.
install_program() {
  local program
  program=$(cat "$logs/program")
  mkdir -p "$folder"
  if cmp -s "$program" "$folder/windtunnel"; then
    echo "$folder/windtunnel, up to date" >&3
  else
    cp "$program" "$folder/windtunnel.new"
    mv -f "$folder/windtunnel.new" "$folder/windtunnel"
    echo "$folder/windtunnel" >&3
  fi
}

# kind and Helm next to windtunnel, if the user has none: those of the bundle, or built by Go as the bundle's are.
install_tools() {
  local images=$root/scripts/images
  # shellcheck source=images/versions.env
  . "$images/versions.env"
  # shellcheck source=images/lib/go.sh
  . "$images/lib/go.sh"
  has kind || install_tool kind sigs.k8s.io/kind
  has helm || install_tool helm helm.sh/helm/v3/cmd/helm "-X helm.sh/helm/v3/internal/version.version=v$HELM"
  echo "$(command -v kind) $(command -v helm)" >&3
}

# install_tool NAME PACKAGE [LDFLAGS]
install_tool() {
  if [ "$source" = packages ]; then
    cp "$cache/bundle/bin/$1" "$folder/$1.new"
    mv -f "$folder/$1.new" "$folder/$1"
  else
    go_build "$1" "$2" "$folder/$1" "${3:-}"
  fi
}

build_images() {
  local expected='a few seconds'
  [ -e "$cache/bundle/bundle.json" ] || expected='about 13 minutes the first time'
  stream_stage 'Images from packages' "$expected" "$root/scripts/images/build.sh"
  [ "$stage_status" = 0 ] || fail 'error: the images could not be built; see above for the log and the cause' \
    'hint: once the cause is gone, run this again: it goes on from there'
  up=(--bundle "$cache/bundle" ${up[@]+"${up[@]}"})
}

mkdir -p "$logs"
source=$(choose_source)
folder=$(choose_folder)
stage machine 'This machine' 'install what is missing and run this again' check_machine
stage build 'Building windtunnel' 'the compiler has the last word above' build_program
stage install 'Installing windtunnel' "\`$folder\` must be yours to write to" install_program
if [[ :$PATH: != *":$folder:"* ]]; then
  echo "    $folder is not on your PATH. To add it, put this into your shell's profile: export PATH=\"$folder:\$PATH\""
  PATH=$folder:$PATH
fi
engine_stage "$logs/engine.log" ${yes[@]+"${yes[@]}"}
[ "$stage_status" = 0 ] || fail 'error: no Docker Engine answers' 'hint: do what is said above and run this again'
[ "$source" != packages ] || build_images
[ "$source" = bundle ] || stage tools 'kind and Helm' 'install kind and Helm yourself and run this again' install_tools
echo
exec "$folder/windtunnel" up ${up[@]+"${up[@]}"}
