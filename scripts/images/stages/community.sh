# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(airflow lib/airflow.sh lib/image.sh lib/forget-machine lib/python.sh)
versions=(COMMUNITY COMMUNITY_DATE DEBIAN)
results=("$output/bundle/community.tar" "$output/community.json")

build() {
  . "$images/lib/airflow.sh"
  build_airflow community "$COMMUNITY" "$COMMUNITY_DATE" celery,cncf-kubernetes,postgres
}
