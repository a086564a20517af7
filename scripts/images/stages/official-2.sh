# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(airflow lib/airflow.sh lib/image.sh lib/forget-machine lib/python.sh)
versions=(OFFICIAL_2 OFFICIAL_2_DATE DEBIAN)
results=("$output/bundle/official-2.tar" "$output/official-2.json")

build() {
  . "$images/lib/airflow.sh"
  build_airflow official-2 "$OFFICIAL_2" "$OFFICIAL_2_DATE" celery,cncf-kubernetes,postgres
}
