{{/* What the operator may do in the namespaces that it serves. No verb or resource is "*". */}}
{{- define "slipway.operator.rules" -}}
# The two kinds. TrainingJobs are deleted when their ttlSecondsAfterFinished is over.
- apiGroups: [slipway.dev]
  resources: [trainingjobs, modeldeployments]
  verbs: [get, list, watch]
- apiGroups: [slipway.dev]
  resources: [trainingjobs]
  verbs: [delete]
- apiGroups: [slipway.dev]
  resources: [trainingjobs/status, modeldeployments/status]
  verbs: [patch]
# For children whose owner reference blocks the owner's deletion.
- apiGroups: [slipway.dev]
  resources: [trainingjobs/finalizers, modeldeployments/finalizers]
  verbs: [update]
# Children. A server-side apply is a patch, and a create where there is nothing yet.
- apiGroups: [""]
  resources: [services, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Pods' states and termination messages. The pods of a lost node are deleted, since nobody else does;
# an annotation has serving pods look at their routes at once.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
# Gangs, where the cluster has one of these kinds.
- apiGroups: [scheduling.x-k8s.io, scheduling.volcano.sh]
  resources: [podgroups]
  verbs: [get, create, patch]
- apiGroups: [scheduling.k8s.io]
  resources: [workloads]
  verbs: [get, create, patch]
# What a namespace's administrator says of it by labels: the level of Pod Security, read by name where
# an object has a podTemplate, and whether models have to be signed.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
# Why Kubernetes makes no pods for a Job stands in events alone: listed where pods are missing.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list]
# The credentials of the store, and no other Secret; they go with a namespace's last object. A create cannot be bound to a name.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ .Values.store.namespaceSecretName | quote }}]
  verbs: [get, patch, delete]
{{- end -}}
