"""A real Kubernetes control plane of version 1.20.2, built from Debian's source package.

Opt-in: `make k8s-real` calls `tools/k8s_real.py`, whose text says what it does. The parts:

- `parts` fetches source and compiler, `building` makes the three programs of them, once;
- `cluster` starts etcd, API server, controller manager and scheduler on 127.0.0.1, and ends them;
- `kubelet` and `metrics_api` stand in for what a cluster has besides: no container runs;
- `applying` sends mlref's own objects to the API server, and some that it must refuse;
- `edges`, `random_cases` and `traces` give inputs of the autoscaler, `world` sets them up as
  objects, `recording` and `recording_traces` ask the real controller, `vectors` keeps the file.
"""
