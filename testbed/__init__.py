"""A real Kubernetes control plane for the demo and the tests: etcd, kube-apiserver and kube-controller-manager on loopback.

Not part of the built collection. `python -m testbed --help` is its command line; `testbed.control_plane` its Python face.
"""
