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
{{- if and .Values.models.volume.existingClaim (ne $source "volume") }}
{{- fail (printf "models.source: Expected volume, since models.volume.existingClaim is set, not %s." $source) }}
{{- end }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "understudy.fullname" .)) }}
{{- fail (printf "fullnameOverride: Expected a name that Services can have, of lower-case letters, digits and hyphens, and first a letter, since the release's makes %q." (include "understudy.fullname" .)) }}
{{- end }}
{{- if and (eq (get .Values.settings "UNDERSTUDY_KEYS_FOR_READS") "true") (not .Values.keys.secretName) }}
{{- fail "keys.secretName: Expected the secret with keys, since settings.UNDERSTUDY_KEYS_FOR_READS is true." }}
{{- end }}
{{- if and (get .Values.settings "UNDERSTUDY_ALLOWED_HOSTS") .Values.monitoring.enabled }}
{{- fail "settings.UNDERSTUDY_ALLOWED_HOSTS: Expected none, since monitoring.enabled lets Prometheus ask each pod by its address." }}
{{- end }}
{{- $names := list }}
{{- range .Values.retraining.jobs }}
{{- if has .name $names }}
{{- fail (printf "retraining.jobs: Expected a name of its own for each job, not %s twice." .name) }}
{{- end }}
{{- $names = append $names .name }}
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
