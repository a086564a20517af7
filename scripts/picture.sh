#!/usr/bin/env bash
# Takes a picture of a real run of windtunnel, for the front page.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat << 'EOT'
Usage: scripts/picture.sh [--columns N] [--output FILE] [COMMAND...]

Runs COMMAND, by default `windtunnel up`, on a terminal of its own, shows what it prints, and writes the last screen
with its colours as SVG to FILE, by default .github/up.svg.

Exit status: that of the command; without success no picture is written.
EOT
}

columns=116
output=$root/.github/up.svg
while [ $# -gt 0 ]; do
  case $1 in
    --columns) columns=${2:?--columns needs a number}; shift ;;
    --output) output=${2:?--output needs a file}; shift ;;
    --help | -h) usage; exit ;;
    -*) usage >&2; printf '\nUnknown option: %s\n' "$1" >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || set -- windtunnel up
exec python3 "$root/scripts/picture.py" "$columns" "$output" "$@"
