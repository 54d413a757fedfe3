// Package chart is where the Helm chart in llorch is tested: rendered by Helm's own
// library, and compared with Kubernetes' own schemas. It is a module of its own, so that
// neither is a dependency of the programs.
package chart
