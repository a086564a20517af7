{{- define "env" -}}
- {name: AIRFLOW__CORE__EXECUTOR, value: {{ .Values.executor }}}
- {name: AIRFLOW__CORE__AUTH_MANAGER, value: airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager}
- {name: AIRFLOW__CORE__EXECUTION_API_SERVER_URL, value: "http://{{ .Release.Name }}-api-server:8080/execution/"}
- {name: AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST, value: {{ .Values.dagProcessor.dagBundleConfigList | toJson | quote }}}
- {name: AIRFLOW__KUBERNETES_EXECUTOR__NAMESPACE, value: {{ .Release.Namespace }}}
- {name: AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE, value: /etc/worker/worker.yaml}
{{- range $section, $options := .Values.config }}
{{- range $option, $value := $options }}
- {name: {{ printf "AIRFLOW__%s__%s" $section $option | upper }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}
{{- range list
  (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" .Values.data.metadataSecretName "connection")
  (list "AIRFLOW__CORE__FERNET_KEY" .Values.fernetKeySecretName "fernet-key")
  (list "AIRFLOW__API__SECRET_KEY" .Values.apiSecretKeySecretName "api-secret-key")
  (list "AIRFLOW__API_AUTH__JWT_SECRET" .Values.jwtSecretName "jwt-secret")
}}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}}
{{- end }}
{{- end }}

{{- define "container" -}}
image: {{ .Values.images.airflow.repository }}:{{ .Values.images.airflow.tag }}
imagePullPolicy: {{ .Values.images.airflow.pullPolicy }}
volumeMounts:
  {{- toYaml .Values.volumeMounts | nindent 2 }}
  - {name: logs, mountPath: /opt/airflow/logs}
  - {name: worker, mountPath: /etc/worker}
env:
  {{- include "env" . | nindent 2 }}
{{- end }}

{{- define "pod" -}}
serviceAccountName: {{ .Release.Name }}-airflow
securityContext: {runAsUser: {{ .Values.uid }}, runAsGroup: {{ .Values.gid }}, fsGroup: {{ .Values.gid }}}
volumes:
  {{- toYaml .Values.volumes | nindent 2 }}
  - name: logs
    persistentVolumeClaim: {claimName: {{ .Values.logs.persistence.existingClaim }}}
  - name: worker
    configMap: {name: {{ .Release.Name }}-worker}
{{- end }}
