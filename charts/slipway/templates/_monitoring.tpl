{{/* The namespaces whose training and serving pods are scraped, as in a PodMonitor. */}}
{{- define "slipway.monitoredNamespaces" -}}
{{- if .Values.watchNamespaces -}}
matchNames:
  {{- toYaml .Values.watchNamespaces | nindent 2 }}
{{- else -}}
any: true
{{- end -}}
{{- end -}}

{{/* The labels that all series of a serving pod get, besides its namespace and name. */}}
{{- define "slipway.servingRelabelings" -}}
- sourceLabels: [__meta_kubernetes_pod_label_slipway_dev_model_deployment]
  targetLabel: deployment
- sourceLabels: [__meta_kubernetes_pod_label_slipway_dev_revision]
  targetLabel: revision
- sourceLabels: [__meta_kubernetes_pod_label_slipway_dev_model]
  targetLabel: model
{{- end -}}

{{/* Whether pods carry prometheus.io annotations: "true" or "false". */}}
{{- define "slipway.scrapeAnnotations" -}}
{{- if eq .Values.metrics.scrapeAnnotations "auto" -}}
{{- not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor") -}}
{{- else -}}
{{- eq .Values.metrics.scrapeAnnotations "always" -}}
{{- end -}}
{{- end -}}

{{/* The text of a file of rules with the objectives and the address of the runbooks that are set. */}}
{{- define "slipway.rules" -}}
{{- $rules := .root.Values.metrics.rules }}
{{- $wanted := $rules.objectives }}
{{- .text
  | replace "vector(0.001)" (printf "vector(%v)" (subf 1 (float64 $wanted.availability)))
  | replace "vector(0.01)" (printf "vector(%v)" (subf 1 (float64 $wanted.latencyRatio)))
  | replace `"1000([.]0)?"` (printf `"%v([.]0)?"` $wanted.latencyMilliseconds)
  | replace "https://slipway.dev/docs/runbooks" $rules.runbookBaseUrl }}
{{- end -}}
