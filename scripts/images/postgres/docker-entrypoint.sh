#!/bin/bash
# Starts PostgreSQL, and sets a new data folder up by the POSTGRES_* variables of the official image:
# POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB and POSTGRES_INITDB_ARGS, or each with _FILE and the name of a file that has
# the value; POSTGRES_INITDB_WALDIR, POSTGRES_HOST_AUTH_METHOD; PGDATA; *.sql, *.sql.gz and *.sh in
# /docker-entrypoint-initdb.d.
set -Eeuo pipefail

fail() {
  printf 'Error: %s\n' "$@" >&2
  exit 1
}

# from_file NAME [DEFAULT]: NAME's value, or what is in the file that NAME_FILE names, but not both
from_file() {
  local file=$1_FILE value=${2:-}
  [ -z "${!1:-}" ] || [ -z "${!file:-}" ] || fail "both $1 and $file are set; set one of them"
  if [ -n "${!1:-}" ]; then
    value=${!1}
  elif [ -n "${!file:-}" ]; then
    value=$(< "${!file}")
  fi
  export "$1=$value"
  unset "$file"
}

read_settings() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

check_password() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    fail 'the database is not set up yet, and there is no password for its superuser.' \
      'Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in without one.'
  fi
}

make_data_folder() {
  local arguments=()
  eval "arguments=($POSTGRES_INITDB_ARGS)" # quoted as for a shell, as in the official image
  if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then arguments+=(--waldir "$POSTGRES_INITDB_WALDIR"); fi
  initdb --username "$POSTGRES_USER" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}" >> "$PGDATA/pg_hba.conf"
}

query() { psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"; }

create_database() {
  if [ "$POSTGRES_DB" != postgres ]; then
    query --dbname postgres --set "name=$POSTGRES_DB" <<< 'CREATE DATABASE :"name";'
  fi
}

# shellcheck disable=SC1090
run_here() { . "$1"; }

run_scripts() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then "$file"; else run_here "$file"; fi ;;
      *.sql) query --dbname "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | query --dbname "$POSTGRES_DB" ;;
      *) continue ;;
    esac
    echo "$0: ran $file"
  done
}

# Everything but the password is set up by a server that listens on its socket only.
set_up() {
  check_password
  make_data_folder
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  pg_ctl -w -o '-c listen_addresses= -p 5432' start
  create_database
  run_scripts
  pg_ctl -w -m fast stop
  unset PGPASSWORD
  echo 'PostgreSQL is set up.'
}

# initdb and the server ask for the name of their user, and one that a security context made up has none.
name_user() {
  if ! getent passwd "$(id -u)" > /dev/null; then
    echo "database:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >> /etc/passwd ||
      fail "user $(id -u) has no name here: run as user 0, as $(id -u postgres), or with group 0, which may add one"
  fi
}

if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi
if [ "${1:-}" = postgres ] && [[ " $* " != *" --help "* && " $* " != *" --version "* && " $* " != *" -V "* ]]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    find "$PGDATA" \! -user postgres -exec chown postgres {} +
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
  fi
  name_user
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA" || true
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    read_settings
    set_up
  fi
fi
exec "$@"
