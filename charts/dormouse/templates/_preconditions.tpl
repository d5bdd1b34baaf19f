{{/*
May this release be installed here? What only a cluster can answer; `helm template` and GitOps tools have none to ask.

Two releases that serve the same namespace would both run its workflows. Helm itself refuses the second one, since
both have objects of the same names; this only says so in words, and finds "all" against "some", where names differ.
*/}}
{{- define "dormouse.preconditions" -}}
{{- if and (not .Values.namespaces) .Values.networkPolicy.workflows.enabled -}}
{{- fail "networkPolicy.workflows.enabled needs the served namespaces listed in `namespaces`" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.networkPolicy.workflows.enabled (not .Values.networkPolicy.metricsFrom) -}}
{{- fail "podMonitor.enabled with networkPolicy.workflows.enabled needs networkPolicy.metricsFrom: who may reach the workflows' port" -}}
{{- end -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}
{{- if not (lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "durableworkflows.dormouse.dev") -}}
{{- fail "the cluster knows no DurableWorkflow; install the chart dormouse-crds first" -}}
{{- end -}}
{{- range .Values.namespaces -}}
{{- if not (lookup "v1" "Namespace" "" .) -}}
{{- fail (printf "namespaces: there is no namespace %s; create it first" .) -}}
{{- end -}}
{{- end -}}
{{- include "dormouse.refuseOverlap" . -}}
{{- include "dormouse.refuseToLeave" . -}}
{{- end -}}
{{- end -}}

{{- define "dormouse.refuseOverlap" -}}
{{- $name := include "dormouse.servedName" . -}}
{{- $api := "rbac.authorization.k8s.io/v1" -}}
{{- $everywhere := lookup $api "ClusterRole" "" $name -}}
{{- if and $everywhere (eq "yes" (include "dormouse.isAnothers" (dict "root" . "object" $everywhere))) -}}
{{- fail (printf "%s serves all namespaces already; give it a list of namespaces, or uninstall it" (include "dormouse.ownerOf" $everywhere)) -}}
{{- end -}}
{{- $found := list -}}
{{- range .Values.namespaces -}}
{{- $found = append $found (lookup $api "Role" . $name) -}}
{{- else -}}
{{- $found = (lookup $api "Role" "" "").items -}}
{{- end -}}
{{- range $found -}}
{{- if and . (eq .metadata.name $name) (eq "yes" (include "dormouse.isAnothers" (dict "root" $ "object" .))) -}}
{{- fail (printf "namespaces: %s is served by %s already; no two releases may serve the same namespace" .metadata.namespace (include "dormouse.ownerOf" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whoever takes a namespace out of the list takes away the operator's rights there, and workflows need it to go. */}}
{{- define "dormouse.refuseToLeave" -}}
{{- if and .Values.namespaces .Release.IsUpgrade -}}
{{- $name := include "dormouse.servedName" . -}}
{{- $api := "rbac.authorization.k8s.io/v1" -}}
{{- $staying := concat .Values.namespaces .Values.handOver -}}
{{- $left := list -}}
{{- range (lookup "dormouse.dev/v1alpha1" "DurableWorkflow" "" "").items -}}
{{- if not (has .metadata.namespace $staying) -}}
{{- $left = append $left .metadata.namespace -}}
{{- end -}}
{{- end -}}
{{- range uniq $left -}}
{{- $role := lookup $api "ClusterRole" "" $name | default (lookup $api "Role" . $name) -}}
{{- if and $role (ne "yes" (include "dormouse.isAnothers" (dict "root" $ "object" $role))) -}}
{{- fail (printf "namespaces: %s leaves the list, but it has DurableWorkflows, which nobody would serve or let go of then; delete them first, or name it in `handOver` if another release is to serve it" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dormouse.isAnothers" -}}
{{- $told := .object.metadata.annotations | default dict -}}
{{- $name := index $told "meta.helm.sh/release-name" -}}
{{- $namespace := index $told "meta.helm.sh/release-namespace" -}}
{{- if not (and (eq .root.Release.Name ($name | default "")) (eq .root.Release.Namespace ($namespace | default ""))) -}}
yes
{{- end -}}
{{- end -}}

{{- define "dormouse.ownerOf" -}}
{{- $told := .metadata.annotations | default dict -}}
{{- with index $told "meta.helm.sh/release-name" -}}
release {{ . }} in namespace {{ index $told "meta.helm.sh/release-namespace" }}
{{- else -}}
an operator that Helm did not install
{{- end -}}
{{- end -}}
