// Functions without a body, as in cluster_timing.go, need an assembly file in their package.
