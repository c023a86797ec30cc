// Not built: its definitions of HTTPRoute and its like are read out of the module.
module lockstep.test/gateway-api

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.3
