{{/* What may the operator do in a namespace that it serves? */}}
{{- define "dormouse.servedRules" -}}
- apiGroups: [dormouse.dev]
  resources: [durableworkflows]
  verbs:
    - get # read one again after a write that met a newer version
    - list # fill the cache at the start, and compare it now and then
    - watch # notice changes
    - patch # put the finalizer on, and take it off
    - delete # one that has completed, after its ttlSecondsAfterFinished
- apiGroups: [dormouse.dev]
  resources: [durableworkflows/status]
  verbs:
    - patch # phase, epoch, conditions
- apiGroups: [dormouse.dev]
  resources: [durableworkflows/finalizers]
  verbs:
    # Where the admission plugin OwnerReferencesPermissionEnforcement is on: pods block their owner's deletion.
    - update
- apiGroups: [dormouse.dev]
  resources: [objectstores]
  verbs:
    - get # as for durableworkflows
    - list # as for durableworkflows
    - watch # as for durableworkflows
    - patch # a finalizer holds a store while a workflow needs it
- apiGroups: [dormouse.dev]
  resources: [objectstores/status]
  verbs:
    - patch # what the probe of the store found
- apiGroups: [""]
  resources: [pods]
  verbs:
    - get # look who has the name of a pod that was to be created
    - list # as for durableworkflows, and again before each new pod
    - watch # notice how pods fare
    - create # the next life of a workflow
    - delete # end a life: suspended, changed, replaced or lost
- apiGroups: [""]
  resources: [configmaps]
  verbs:
    - get # the certificates that a store names; whether the source of a workflow is there
    - create # the source of a workflow that carries it inline
    - update # the same after a change
    - patch # a finalizer holds the certificates of a store while a workflow needs them
- apiGroups: [""]
  resources: [secrets]
  verbs:
    - get # the keys that a store names, one Secret by its name: none is listed or watched
    - patch # a finalizer holds a Secret while a workflow needs it; a pod's own credentials are renewed
    {{- if .Values.sessionCredentials.enabled }}
    - create # the Secret with a pod's own credentials, for a store with spec.credentials.sts
    {{- end }}
{{- if .Values.disruption.enabled }}
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs:
    - get # the one to delete, by its name: none is listed or watched
    - create # a ready pod of a workflow with spec.disruption is not evicted
    - delete # when that is over
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs:
    - create # tell what happened
    - get # how often a predecessor told it already
    - patch # count it up
{{- end -}}
