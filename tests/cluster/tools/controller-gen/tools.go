// Names what controller-gen reads, so that go.mod keeps it; it is never built.
package main

import (
	_ "github.com/fluxcd/helm-controller/api/v2"
	_ "github.com/fluxcd/image-automation-controller/api/v1"
	_ "github.com/fluxcd/image-reflector-controller/api/v1"
	_ "github.com/fluxcd/notification-controller/api/v1"
	_ "github.com/fluxcd/notification-controller/api/v1beta3"
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

func main() {}
