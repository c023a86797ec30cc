// Not built: its definitions of GitRepository and its like are read out of the module.
module lockstep.test/source-controller

go 1.26.0

require github.com/fluxcd/source-controller v1.9.0
