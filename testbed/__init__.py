"""A real Kubernetes control plane on loopback for the demo and the tests, with an optional node (`node/`).

etcd, kube-apiserver and kube-controller-manager, compiled from the Go modules pinned in `go/`. Not part of the built
collection. `python -m testbed --help` is its command line, `testbed.control_plane` its Python interface.
"""
