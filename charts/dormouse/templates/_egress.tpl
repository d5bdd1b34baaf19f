{{/* What may the operator and workflows both reach? */}}

{{- define "dormouse.egressToNames" -}}
# Names: from any server of names, since a node's own cache of them is no pod. OpenShift's pods of it have 5353.
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
    - {port: 5353, protocol: UDP}
    - {port: 5353, protocol: TCP}
{{- end -}}

{{- define "dormouse.egressToStores" -}}
{{- $ports := append .Values.networkPolicy.storePorts 443 -}}
{{- range .Values.objectStores -}}
{{- with .spec.endpoint -}}
{{- $usual := ternary "443" "80" (hasPrefix "https:" .) -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default $usual) -}}
{{- end -}}
{{- end -}}
# Stores: wherever they are, on the ports that they are known to have.
- ports:
    {{- range $ports | toStrings | uniq }}
    - port: {{ . }}
    {{- end }}
{{- end -}}
