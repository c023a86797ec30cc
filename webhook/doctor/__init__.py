"""`lockstep doctor`: what in a cluster, or in its manifests, would break lockstep."""
