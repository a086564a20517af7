# Building Go programs from the modules in go/.
# shellcheck shell=bash disable=SC2154

# go_build MODULE PACKAGE FILE [LDFLAGS]: a static program without symbols or paths of this machine
go_build() {
  CGO_ENABLED=0 go build -C "$images/go/$1" -trimpath -ldflags "-s -w ${4:-}" -o "$3.new" "$2"
  from_new "$3"
}
