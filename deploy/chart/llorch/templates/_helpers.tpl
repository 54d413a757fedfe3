{{- define "llorch.labels" -}}
app.kubernetes.io/name: llorch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "llorch.image" -}}
{{ .Values.image.repository }}{{ ternary "@" ":" (hasPrefix "sha256:" .Values.image.tag) }}{{ .Values.image.tag }}
{{- end }}

{{- /* The names of the pods' hosts: pod N is NAME-N.NAME.NAMESPACE.svc */ -}}
{{- define "llorch.orchestrator" -}}{{ .Release.Name }}-orchestrator{{- end }}
{{- define "llorch.worker" -}}{{ .Release.Name }}-worker{{- end }}

{{- define "llorch.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "llorch.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* What all pods have: no credential of the cluster, and no variables for services. */ -}}
{{- define "llorch.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "llorch.podSecurity" . | nindent 2 }}
{{- end }}

{{- /* The gateway's container; mounts are what it has besides its own. */ -}}
{{- define "llorch.gateway" -}}
name: gateway
image: {{ include "llorch.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [llorch, run, --config, /etc/llorch/gateway/Caddyfile]
securityContext:
  {{- include "llorch.containerSecurity" . | nindent 2 }}
ports:
  - { name: gateway, containerPort: 8443, protocol: TCP }
readinessProbe:
  httpGet: { path: /ready, port: gateway, scheme: HTTPS }
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: 2
startupProbe:
  exec: { command: [llorch, health, --admin, unix//run/llorch/admin.sock] }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  exec: { command: [llorch, health, --admin, unix//run/llorch/admin.sock] }
  periodSeconds: 10
  timeoutSeconds: 6
{{- with .Values.gateway.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where pods may ask for names. */ -}}
{{- define "llorch.dns" -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- end }}
