# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=()
after=(kind helm node airflow postgres)
results=("$bundle/bundle.json")

build() {
  jq -s '{format: 1, entries: .}' "$output"/{node,airflow,postgres,kind,helm}.json > "$bundle/bundle.json.new"
  from_new "$bundle/bundle.json"
}
