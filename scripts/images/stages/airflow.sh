# shellcheck shell=bash disable=SC1091,SC2034,SC2154
inputs=(airflow lib/airflow.sh lib/image.sh lib/forget-machine lib/python.sh)
versions=(AIRFLOW AIRFLOW_DATE DEBIAN)
results=("$output/bundle/airflow.tar" "$output/airflow.json")

build() {
  . "$images/lib/airflow.sh"
  build_airflow airflow "$AIRFLOW" "$AIRFLOW_DATE" celery,cncf-kubernetes,fab,postgres,standard
}
