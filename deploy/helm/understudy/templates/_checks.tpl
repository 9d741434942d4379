{{- /* Values that are well each by itself, and wrong together; the schema refuses all others. */}}
{{- define "understudy.check" -}}
{{- $source := .Values.models.source }}
{{- $url := .Values.models.objectStore.url }}
{{- if and (eq $source "objectStore") (not $url) }}
{{- fail "models.objectStore.url: Expected the store's URL, such as s3://bucket/models, since models.source is objectStore." }}
{{- end }}
{{- if and $url (ne $source "objectStore") }}
{{- fail (printf "models.source: Expected objectStore, since models.objectStore.url is set, not %s." $source) }}
{{- end }}
{{- if and .Values.retraining.jobs (eq $source "image") }}
{{- fail "models.source: Expected volume or objectStore, since retraining.jobs cannot publish into an image." }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- fail (printf "autoscaling.minReplicas: Expected at most maxReplicas, %d, not %d." (int .maxReplicas) (int .minReplicas)) }}
{{- end }}
{{- if and .enabled (not (or .requestsInFlight .cpuPercent)) }}
{{- fail "autoscaling: Expected requestsInFlight or cpuPercent above 0, or enabled: false." }}
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if regexMatch "^(UNDERSTUDY_.*|MODELS|HOST|PORT)$" .name }}
{{- fail (printf "extraEnv: %s is a variable of the service; it belongs into settings, or another value sets it." .name) }}
{{- end }}
{{- end }}
{{- end }}
