{{- define "slipway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "slipway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "slipway.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the admission policy that bounds the operator's account. */}}
{{- define "slipway.fence" -}}
{{- printf "%s-operator" (include "slipway.fullname" .) -}}
{{- end -}}

{{- define "slipway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "slipway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.create is false: give the existing one's name in serviceAccount.name" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component: {"root": $, "component": "operator"} */}}
{{- define "slipway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "slipway.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The labels of an object: {"root": $, "component": "operator"}. managed-by is never "slipway":
     by that the operator knows what it made itself. */}}
{{- define "slipway.labels" -}}
{{- $own := dict
      "app.kubernetes.io/name" (include "slipway.name" .root)
      "app.kubernetes.io/instance" .root.Release.Name
      "app.kubernetes.io/component" .component
      "app.kubernetes.io/part-of" "slipway"
      "app.kubernetes.io/version" .root.Chart.AppVersion
      "app.kubernetes.io/managed-by" .root.Release.Service
      "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.commonLabels) $own) -}}
{{- end -}}

{{/* The labels of a pod: {"root": $, "component": "store", "extra": {...}} */}}
{{- define "slipway.podLabels" -}}
{{- $own := include "slipway.selectorLabels" . | fromYaml -}}
{{- $part := dict "app.kubernetes.io/part-of" "slipway" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.commonLabels) (deepCopy .extra) $part $own) -}}
{{- end -}}

{{/* The reference of an image: {"root": $, "image": .Values.images.operator} */}}
{{- define "slipway.image" -}}
{{- $registry := .image.registry | default .root.Values.images.registry | trimSuffix "/" -}}
{{- $repository := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Where a pod may run: the values of .Values.operator or .Values.store. */}}
{{- define "slipway.scheduling" -}}
{{- with .priorityClassName -}}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* "true" where a part's network policy is made: as told, or as the release's are:
     {"root": $, "enabled": .Values.store.networkPolicy.enabled} */}}
{{- define "slipway.guarded" -}}
{{- if ternary .enabled .root.Values.networkPolicies.enabled (kindIs "bool" .enabled) -}}true{{- end -}}
{{- end -}}

{{- define "slipway.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
