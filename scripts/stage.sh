# shellcheck shell=bash
# One line for each stage of a script, with its seconds. To be sourced by a script that has set `root`.
#
# A stage is a command or function. What it prints goes to a log, except what it says of its result: that it writes to
# file descriptor 3, and it stands in the stage's line. Descriptor 9, where a script keeps its lock, stays closed in
# stages: an engine that one of them starts would hold the lock for ever.

# run_stage TITLE LOG COMMAND...: the exit status is in `stage_status` afterwards. As a return status it would keep
# `set -e` from working in the stage.
run_stage() {
  local title=$1 log=$2 started=$SECONDS detail
  shift 2
  if [ -t 1 ]; then printf '  %-30s. log: %s' "$title" "$log"; fi
  set +e
  detail=$(
    set -e
    "$@" 3>&1 > "$log" 2>&1 < /dev/null 9>&-
  )
  stage_status=$?
  set -e
  if [ -t 1 ]; then printf '\r\033[K'; fi
  end_stage "$title" "$started" "$detail"
}

# stream_stage TITLE DETAIL COMMAND...: for what takes minutes or asks: its own lines are shown, below the title
stream_stage() {
  local title=$1 detail=$2 started=$SECONDS
  shift 2
  printf '  %-30s. %s\n' "$title" "$detail"
  set +e
  (
    set -e
    "$@" 3> /dev/null 9>&-
  )
  stage_status=$?
  set -e
  end_stage "$title" "$started" ''
}

# end_stage TITLE STARTED DETAIL: in the columns of `windtunnel up`
end_stage() {
  local mark=✓
  [ "$stage_status" = 0 ] || mark=✗
  printf '  %-30s%s %-73s %6ss\n' "$1" "$mark" "$3" $((SECONDS - $2))
}

# skip_stage TITLE REASON
skip_stage() { printf '  %-30s- %s\n' "$1" "$2"; }

# engine_stage LOG [--yes]
engine_stage() {
  local log=$1
  shift
  if docker version > /dev/null 2>&1; then
    run_stage 'Docker Engine' "$log" running_engine
  else
    stream_stage 'Docker Engine' 'none answers yet' "$root/scripts/engine.sh" "$@"
  fi
}

# It may still need its limits raised.
running_engine() {
  "$root/scripts/engine.sh"
  docker version --format '{{.Server.Version}}' >&3
}

has() { command -v "$1" > /dev/null 2>&1; }

# last_words LOG LINES: the end of a log, indented
last_words() { tail -n "$2" "$1" | sed "s/^/    /"; }
