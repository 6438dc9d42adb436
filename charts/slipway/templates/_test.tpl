{{/* Annotations of an object of `helm test`, which is removed when that has passed; a pod that
     failed stays until the next run. Helm prints its log in either case. The argument is its place in the order. */}}
{{- define "slipway.test.hook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
{{- end -}}

{{/* Where `helm test` trains and serves: a namespace that the operator serves. */}}
{{- define "slipway.test.namespace" -}}
{{- $served := .Values.watchNamespaces -}}
{{- $chosen := .Values.test.namespace | default (ternary .Release.Namespace (first $served) (empty $served)) -}}
{{- if and $served (not (has $chosen $served)) -}}
{{- fail (printf "test.namespace is %s, which is not served: name one of watchNamespaces" $chosen) -}}
{{- end -}}
{{- $chosen -}}
{{- end -}}
