{{/* The operator's settings, as environment variables. */}}
{{- define "slipway.operator.env" -}}
- name: SLIPWAY_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- with .Values.watchNamespaces }}
- name: SLIPWAY_WATCH_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
- name: SLIPWAY_TRAINER_IMAGE
  value: {{ include "slipway.image" (dict "root" . "image" .Values.images.trainer) | quote }}
- name: SLIPWAY_SERVER_IMAGE
  value: {{ include "slipway.image" (dict "root" . "image" .Values.images.server) | quote }}
- name: SLIPWAY_PYTHON_IMAGE
  value: {{ include "slipway.image" (dict "root" . "image" .Values.images.python) | quote }}
- name: SLIPWAY_IMAGE_PULL_POLICY
  value: {{ .Values.images.pullPolicy }}
- name: SLIPWAY_LEADER_ELECTION
  value: {{ .Values.operator.leaderElection | quote }}
- name: SLIPWAY_WORKERS
  value: {{ .Values.operator.workers | quote }}
- name: SLIPWAY_LOG_LEVEL
  value: {{ .Values.operator.logLevel }}
- name: SLIPWAY_PROGRESS_INTERVAL_SECONDS
  value: {{ .Values.operator.progressIntervalSeconds | quote }}
- name: SLIPWAY_MAX_CONCURRENT_SERVER_UPDATES
  value: {{ .Values.operator.maxConcurrentServerUpdates | quote }}
- name: SLIPWAY_RESYNC_SECONDS
  value: {{ .Values.operator.resyncSeconds | quote }}
- name: SLIPWAY_NAMESPACE_MEMORY_PERCENT
  value: {{ .Values.operator.namespaceMemoryPercent | quote }}
- name: SLIPWAY_OBJECT_METRICS
  value: {{ .Values.operator.objectMetrics | quote }}
- name: SLIPWAY_SECURE_METRICS
  value: {{ .Values.metrics.secure | quote }}
{{- with .Values.operator.prometheusUrl }}
- name: SLIPWAY_PROMETHEUS_URL
  value: {{ . | quote }}
{{- end }}
- name: SLIPWAY_FENCE
  value: {{ include "slipway.fence" . }}
- name: SLIPWAY_POD_SECURITY
  value: {{ .Values.pods.podSecurity }}
- name: SLIPWAY_VERIFICATION
  value: {{ .Values.verification.policy }}
{{- with .Values.verification.publicKeys }}
- name: SLIPWAY_PUBLIC_KEYS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.pods.imagePullSecrets }}
{{- $names := list }}
{{- range . }}
{{- $names = append $names .name }}
{{- end }}
- name: SLIPWAY_IMAGE_PULL_SECRETS
  value: {{ join "," $names | quote }}
{{- end }}
- name: SLIPWAY_RESOURCES
  value: {{ toJson .Values.pods.resources | quote }}
- name: SLIPWAY_VOLUME_SIZES
  value: {{ toJson .Values.pods.volumeSizes | quote }}
{{- with .Values.operator.analysis.allowedPrometheusAddresses }}
- name: SLIPWAY_ALLOWED_PROMETHEUS_ADDRESSES
  value: {{ join "," . | quote }}
{{- end }}
- name: SLIPWAY_NETWORK_POLICIES
  value: {{ .Values.networkPolicies.enabled | quote }}
- name: SLIPWAY_MONITORING_PEERS
  value: {{ .Values.networkPolicies.monitoring | toJson | quote }}
- name: SLIPWAY_SCRAPE_ANNOTATIONS
  value: {{ include "slipway.scrapeAnnotations" . | quote }}
- name: SLIPWAY_STORE_URI
  value: {{ include "slipway.store.uri" . | quote }}
- name: SLIPWAY_STORE_ENDPOINT
  value: {{ include "slipway.store.endpoint" . | quote }}
{{- if include "slipway.store.authorities" . }}
- name: SLIPWAY_STORE_CA_FILE
  value: /slipway/store/ca.crt
{{- else if include "slipway.store.tlsManaged" . }}
- name: SLIPWAY_STORE_CA_FILE
  value: /tmp/store-authorities.crt
- name: SLIPWAY_STORE_TLS_SECRET
  value: {{ include "slipway.store.tlsSecret" . | quote }}
{{- end }}
{{- if and (include "slipway.store.tlsSecret" .) (include "slipway.store.isPlain" .) }}
- name: SLIPWAY_STORE_PLAIN_ENDPOINT
  value: {{ include "slipway.store.plainEndpoint" . | quote }}
{{- end }}
- name: SLIPWAY_STORE_REGION
  value: {{ include "slipway.store.region" . | quote }}
{{- if not .Values.store.enabled }}
- name: SLIPWAY_STORE_ADDRESSING_STYLE
  value: {{ .Values.store.external.addressingStyle }}
{{- end }}
{{- $reserved := list }}
{{- if include "slipway.store.hasCredential" . }}
{{- $reserved = append $reserved (include "slipway.store.secretName" .) }}
{{- end }}
{{- if .Values.store.enabled }}
{{- $reserved = append $reserved (include "slipway.store.tlsSecret" .) | compact }}
{{- end }}
{{- with $reserved }}
- name: SLIPWAY_RESERVED_SECRETS
  value: {{ join "," . | quote }}
{{- end }}
- name: SLIPWAY_STORE_SECRET_NAME
  value: {{ .Values.store.namespaceSecretName | quote }}
{{- with .Values.store.sharedUris }}
- name: SLIPWAY_STORE_SHARED_URIS
  value: {{ join "," . | quote }}
{{- end }}
- name: SLIPWAY_STORE_CREDENTIALS
  value: {{ include "slipway.store.opened" . }}
{{- if include "slipway.store.hasCredential" . }}
{{ include "slipway.store.credentials" (dict "root" . "id" "SLIPWAY_STORE_ACCESS_KEY_ID" "secret" "SLIPWAY_STORE_SECRET_ACCESS_KEY") }}
{{- end }}
{{- with .Values.store.accounts.maxAgeDays }}
- name: SLIPWAY_STORE_ACCOUNT_MAX_AGE_DAYS
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := dict
  "OUTPUT_SECONDS" .Values.store.retention.outputSecondsAfterFinished
  "CHECKPOINTS_SECONDS" .Values.store.retention.checkpointsSecondsAfterFinished
  "PACKAGE_VERSIONS" .Values.store.retention.packageVersions }}
{{- if not (kindIs "invalid" $value) }}
- name: SLIPWAY_STORE_RETENTION_{{ $name }}
  value: {{ $value | int64 | quote }}
{{- end }}
{{- end }}
{{- if eq (include "slipway.store.opened" .) "sessions" }}
- name: SLIPWAY_STORE_ROLE_ARN
  value: {{ .Values.store.external.sts.roleArn | quote }}
- name: SLIPWAY_STORE_STS_ENDPOINT
  value: {{ .Values.store.external.sts.endpoint | quote }}
- name: SLIPWAY_STORE_SESSION_SECONDS
  value: {{ .Values.store.external.sts.sessionSeconds | quote }}
{{- end }}
{{- if eq (include "slipway.store.opened" .) "identity" }}
- name: SLIPWAY_STORE_SERVICE_ACCOUNT
  value: {{ .Values.store.external.serviceAccountName | quote }}
{{- end }}
{{- with .Values.operator.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
