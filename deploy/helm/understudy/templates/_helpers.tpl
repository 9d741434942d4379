{{- define "understudy.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* 32 characters: a CronJob has 52, "-retrain-" and its own name among them. */}}
{{- define "understudy.fullname" -}}
{{- $name := include "understudy.name" . }}
{{- $default := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $default | trunc 32 | trimSuffix "-" }}
{{- end }}

{{- define "understudy.selector" -}}
app.kubernetes.io/name: {{ include "understudy.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "understudy.labels" -}}
{{ include "understudy.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "understudy.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "understudy.claim" -}}
{{ .Values.models.volume.existingClaim | default (printf "%s-models" (include "understudy.fullname" .)) }}
{{- end }}

{{- define "understudy.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
# The group of volumes and secrets.
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "understudy.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "understudy.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.secretName | default (include "understudy.fullname" .root) | quote }}
      key: {{ .key }}
      optional: true
{{- end }}

{{- define "understudy.storeCredentials" -}}
envFrom:
  - secretRef:
      name: {{ .Values.models.objectStore.secretName | default (printf "%s-object-store" (include "understudy.fullname" .)) | quote }}
      optional: true
{{- end }}

{{- define "understudy.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "understudy.dns" -}}
- port: 53
  protocol: UDP
- port: 53
  protocol: TCP
{{- end }}
