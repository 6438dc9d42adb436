{{- define "slipway.store.fullname" -}}
{{- printf "%s-store" (include "slipway.fullname" .) -}}
{{- end -}}

{{/* Name of the Secret with the store's credentials in the release's namespace. */}}
{{- define "slipway.store.secretName" -}}
{{- if not .Values.store.enabled -}}
{{- required "Name the Secret with the AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of store.external in store.external.existingSecret" .Values.store.external.existingSecret -}}
{{- else -}}
{{- .Values.store.existingSecret | default (printf "%s-credentials" (include "slipway.store.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{/* What opens the store to a namespace's pods; see the operator's setting store.credentials. */}}
{{- define "slipway.store.opened" -}}
{{- $external := .Values.store.external -}}
{{- if .Values.store.sharedCredential -}}shared
{{- else if .Values.store.enabled -}}accounts
{{- else if $external.sts.roleArn -}}sessions
{{- else if $external.serviceAccountName -}}identity
{{- else if $external.namespaceSecrets -}}namespace
{{- else -}}
{{- fail "store.enabled is false: say how the bucket is opened to one namespace at a time, by store.external.sts.roleArn, store.external.serviceAccountName or store.external.namespaceSecrets, or set store.sharedCredential=true in a cluster with a single tenant" -}}
{{- end -}}
{{- end -}}

{{/* "true" where the operator has a credential of its own for the store. */}}
{{- define "slipway.store.hasCredential" -}}
{{- if has (include "slipway.store.opened" .) (list "shared" "accounts" "sessions") -}}true{{- end -}}
{{- end -}}

{{/* "true" where the credentials are made by the operator. */}}
{{- define "slipway.store.ownSecret" -}}
{{- if and .Values.store.enabled (not .Values.store.existingSecret) -}}true{{- end -}}
{{- end -}}

{{/* Two environment variables with the store's credentials:
     {"root": $, "id": "NAME", "secret": "NAME"} */}}
{{- define "slipway.store.credentials" -}}
- name: {{ .id }}
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.store.secretName" .root | quote }}
      key: AWS_ACCESS_KEY_ID
- name: {{ .secret }}
  valueFrom:
    secretKeyRef:
      name: {{ include "slipway.store.secretName" .root | quote }}
      key: AWS_SECRET_ACCESS_KEY
{{- end -}}

{{/* Name of the Secret with the built-in server's certificate; nothing where it takes no TLS. */}}
{{- define "slipway.store.tlsSecret" -}}
{{- $tls := .Values.store.tls -}}
{{- if and $tls.secretName (eq $tls.mode "Disabled") -}}
{{- fail "store.tls.mode is Disabled: leave store.tls.secretName empty, or set the mode to Managed and your Secret is used" -}}
{{- end -}}
{{- if and .Values.store.enabled (ne $tls.mode "Disabled") -}}
{{- $tls.secretName | default (printf "%s-tls" (include "slipway.store.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{/* "true" where the operator makes the certificate. */}}
{{- define "slipway.store.tlsManaged" -}}
{{- if and (include "slipway.store.tlsSecret" .) (not .Values.store.tls.secretName) -}}true{{- end -}}
{{- end -}}

{{/* The Secrets of the release's namespace that the operator itself fills, as a list in JSON. */}}
{{- define "slipway.store.filledSecrets" -}}
{{- $names := list -}}
{{- if include "slipway.store.ownSecret" . }}{{ $names = append $names (include "slipway.store.secretName" .) }}{{ end -}}
{{- if include "slipway.store.tlsManaged" . }}{{ $names = append $names (include "slipway.store.tlsSecret" .) }}{{ end -}}
{{- toJson $names -}}
{{- end -}}

{{- define "slipway.store.uri" -}}
{{- if .Values.store.enabled -}}
s3://{{ .Values.store.bucket }}
{{- else -}}
{{- required "store.enabled is false: give your bucket in store.external.uri, such as s3://my-bucket/slipway" .Values.store.external.uri -}}
{{- end -}}
{{- end -}}

{{- define "slipway.store.endpoint" -}}
{{- if include "slipway.store.tlsSecret" . -}}
https://{{ include "slipway.store.fullname" . }}.{{ .Release.Namespace }}.svc:7443
{{- else if .Values.store.enabled -}}
{{ include "slipway.store.plainEndpoint" . }}
{{- else -}}
{{- .Values.store.external.endpoint -}}
{{- end -}}
{{- end -}}

{{- define "slipway.store.plainEndpoint" -}}
http://{{ include "slipway.store.fullname" . }}.{{ .Release.Namespace }}.svc:7480
{{- end -}}

{{/* "true" where the built-in server takes connections without TLS. */}}
{{- define "slipway.store.isPlain" -}}
{{- if or .Values.store.tls.plainPort (not (include "slipway.store.tlsSecret" .)) -}}true{{- end -}}
{{- end -}}

{{/* The ports of the built-in server's API, by name. */}}
{{- define "slipway.store.ports" -}}
{{- $ports := dict -}}
{{- if include "slipway.store.isPlain" . }}{{ $_ := set $ports "s3" 7480 }}{{ end -}}
{{- if include "slipway.store.tlsSecret" . }}{{ $_ := set $ports "s3-tls" 7443 }}{{ end -}}
{{- toYaml $ports -}}
{{- end -}}

{{/* The volume with the store's authorities, ca.crt; nothing where the system's are meant, or the operator's own. */}}
{{- define "slipway.store.authorities" -}}
{{- if and .Values.store.enabled (include "slipway.store.tlsSecret" .) (not (include "slipway.store.tlsManaged" .)) -}}
- name: store-authorities
  secret:
    secretName: {{ .Values.store.tls.secretName | quote }}
    # The server's own key stays with the server.
    items:
      - key: ca.crt
        path: ca.crt
{{- else if and (not .Values.store.enabled) .Values.store.external.caBundle -}}
- name: store-authorities
  configMap:
    name: {{ include "slipway.store.fullname" . }}-authorities
{{- end -}}
{{- end -}}

{{/* The TCP port of an outside bucket's endpoint. */}}
{{- define "slipway.store.port" -}}
{{- $endpoint := urlParse (default "https://s3.amazonaws.com" .Values.store.external.endpoint) -}}
{{- $port := regexFind ":[0-9]+$" $endpoint.host | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (eq $endpoint.scheme "http")) -}}
{{- end -}}

{{- define "slipway.store.region" -}}
{{- ternary "us-east-1" .Values.store.external.region .Values.store.enabled -}}
{{- end -}}

{{- define "slipway.store.claimName" -}}
{{- .Values.store.persistence.existingClaim | default (include "slipway.store.fullname" .) -}}
{{- end -}}

{{/* "true" where the store's volume stays on uninstall: as told, or with the objects that it serves. */}}
{{- define "slipway.store.keep" -}}
{{- $own := .Values.store.persistence.keep -}}
{{- $unset := or (kindIs "invalid" $own) (eq (toString $own) "") -}}
{{- if ternary .Values.crds.keep $own $unset -}}true{{- end -}}
{{- end -}}
