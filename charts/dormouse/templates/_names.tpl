{{/* What are this release's objects called, and by which labels are they found? */}}

{{/* A release may be called a.b or 1; a Service may not. */}}
{{- define "dormouse.base" -}}
{{- $base := .Release.Name | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $base -}}
{{- $base = printf "dormouse-%s" $base -}}
{{- else if not (contains "dormouse" $base) -}}
{{- $base = printf "%s-dormouse" $base -}}
{{- end -}}
{{- $base | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "dormouse.operator" -}}
{{- include "dormouse.base" . }}-operator
{{- end -}}

{{/* In a namespace, or a cluster, that other releases use too. */}}
{{- define "dormouse.operatorAmongOthers" -}}
{{- include "dormouse.operator" . }}.{{ .Release.Namespace }}
{{- end -}}

{{/* The same for every release: two that serve the same namespace cannot both have it. */}}
{{- define "dormouse.servedName" -}}
dormouse-operator
{{- end -}}

{{- define "dormouse.reportsService" -}}
{{- include "dormouse.base" . }}-reports
{{- end -}}

{{- define "dormouse.metricsService" -}}
{{- include "dormouse.operator" . }}-metrics
{{- end -}}

{{- define "dormouse.labels" -}}
app.kubernetes.io/name: dormouse
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "dormouse.operatorSelector" -}}
app.kubernetes.io/name: dormouse
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* The pods of workflows, as the operator labels them. */}}
{{- define "dormouse.workflowSelector" -}}
app.kubernetes.io/managed-by: dormouse
{{- end -}}

{{/* image: the values of one; root: the chart's. */}}
{{- define "dormouse.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "dormouse.probesPort" -}}8080{{- end -}}
{{- define "dormouse.metricsPort" -}}8081{{- end -}}
{{- define "dormouse.reportsPort" -}}8082{{- end -}}
