{{/* Labels of an object that belongs to a component: (list . "airflow") */}}
{{- define "lite.labels" -}}
{{- $root := index . 0 -}}
{{ include "lite.selector" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Values.airflowVersion | quote }}
windtunnel.dev/environment: {{ $root.Values.environment }}
{{- with $root.Values.environmentId }}
windtunnel.dev/environment-id: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Labels by which a component's pods are found; they can not change in an upgrade. */}}
{{- define "lite.selector" -}}
app.kubernetes.io/name: lite
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "lite.confinement" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end }}

{{/* Airflow's pods, the workers among them. Group 0 owns what the image lets any user write. */}}
{{- define "lite.user" -}}
runAsNonRoot: true
runAsUser: {{ .Values.uid }}
runAsGroup: 0
fsGroup: 0
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* A question that is lost while the cluster's DNS is starting is asked again after 1 s, not 5. */}}
{{- define "lite.names" -}}
options:
  - {name: timeout, value: "1"}
  - {name: attempts, value: "5"}
{{- end }}

{{/* The folders that every Airflow container and every worker has. */}}
{{- define "lite.folders" -}}
- name: dags
  mountPath: /opt/airflow/dags
  readOnly: true
- name: smoke
  mountPath: /opt/airflow/windtunnel
  readOnly: true
- name: logs
  mountPath: /opt/airflow/logs
{{- end }}

{{- define "lite.volumes" -}}
- name: dags
  {{- include "lite.folder" .Values.dags | nindent 2 }}
- name: smoke
  {{- include "lite.folder" .Values.smoke | nindent 2 }}
- name: logs
  persistentVolumeClaim:
    claimName: {{ .Release.Name }}-logs
{{- end }}

{{/* A missing folder of the node keeps the pod from starting, with an event that names it: better than an empty one. */}}
{{- define "lite.folder" -}}
{{- if .hostPath -}}
hostPath:
  path: {{ .hostPath }}
  type: Directory
{{- else if .claim -}}
persistentVolumeClaim:
  claimName: {{ .claim }}
  readOnly: true
{{- else if .configMap -}}
configMap:
  name: {{ .configMap }}
{{- else -}}
emptyDir: {}
{{- end }}
{{- end }}

{{/* One container of the Airflow pod: (dict "root" . "name" "scheduler" "secrets" (list …) "resources" …) */}}
{{- define "lite.container" -}}
{{- $variables := dict
  "admin-password" "WINDTUNNEL_ADMIN_PASSWORD"
  "api-secret-key" "AIRFLOW__API__SECRET_KEY"
  "fernet-key" "AIRFLOW__CORE__FERNET_KEY"
  "jwt-secret" "AIRFLOW__API_AUTH__JWT_SECRET"
-}}
name: {{ .name }}
image: {{ .root.Values.images.airflow }}
imagePullPolicy: IfNotPresent
args: [python, /etc/windtunnel/start.py, {{ .name }}]
envFrom:
  - configMapRef:
      name: {{ .root.Release.Name }}-settings
env:
  - name: DATABASE_PASSWORD
    valueFrom:
      secretKeyRef: {name: {{ .root.Values.credentialsSecret }}, key: database-password}
  - name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
    value: postgresql+psycopg2://airflow:$(DATABASE_PASSWORD)@{{ .root.Release.Name }}-database:5432/airflow
  # Whoever asks in the moment in which the database's pod is replaced gets no answer, and libpq by itself waits two minutes for it.
  # Not for workers: what databases their tasks speak to is not known here.
  - name: PGCONNECT_TIMEOUT
    value: "10"
  {{- range .secrets }}
  - name: {{ get $variables . }}
    valueFrom:
      secretKeyRef: {name: {{ $.root.Values.credentialsSecret }}, key: {{ . }}}
  {{- end }}
resources: {{- toYaml .resources | nindent 2 }}
securityContext: {{- include "lite.confinement" . | nindent 2 }}
volumeMounts:
  {{- include "lite.folders" .root | nindent 2 }}
  - name: files
    mountPath: /etc/windtunnel
    readOnly: true
  - name: shared
    mountPath: /run/windtunnel/shared
{{- end }}

{{/* A component without a port: its heartbeat, as the web server sees it. It must outlast a laptop's short sleep. */}}
{{- define "lite.heartbeat" -}}
exec:
  command: [python, -I, -S, /etc/windtunnel/alive.py, {{ . }}]
initialDelaySeconds: 60
periodSeconds: 30
timeoutSeconds: 15
failureThreshold: 4
{{- end }}
