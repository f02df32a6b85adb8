"""What card 02 hears: in other words than its own, and not in their opposite."""

from __future__ import annotations

from support.hearing import HearsWhatIsMeant, Words

SAID = {
    "same_bytes": [
        "We build the image once in CI and promote that exact artefact through staging to prod.",
        "Deployments refer to sha256 digests, because a tag is mutable.",
        "Images are immutable, so what we tested is what we run.",
        "The identical container goes from the laptop to production.",
        "Pin the image by its digest.",
        "Never rebuild for each environment.",
        "One artefact is tested and rolled out as is.",
    ],
    "small_image": [
        "Use a multi-stage Dockerfile.",
        "The final stage is python-slim or distroless, so there are fewer CVEs.",
        "Leave gcc and the build tools out: without compilers the thing is lighter.",
        "I prune the image down to what the runtime needs.",
        "COPY --from=builder only the virtual environment.",
    ],
    "least_privilege": [
        "Add a USER 10001 line so that it doesn't run as root.",
        "Drop all capabilities and mount the root filesystem read-only.",
        "securityContext: runAsNonRoot, allowPrivilegeEscalation false.",
        "A seccomp profile and --security-opt no-new-privileges.",
        "Follow least privilege.",
        "Run it as nobody, with a read-only file system.",
    ],
    "no_security_boundary": [
        "All containers on a node share one kernel.",
        "For untrusted code I take gVisor, Kata Containers or Firecracker.",
        "A container isn't a real security boundary.",
        "Customers' pickles get a VM of their own.",
        "A kernel exploit is enough to break out of the container.",
        "The isolation is weaker than that of virtual machines.",
    ],
    "limits_differ": [
        "Too much memory and it is OOMKilled, too much CPU and it gets throttled.",
        "Exit code 137 means that it went over the memory limit.",
        "CFS quota throttling makes p99 explode.",
        "Beyond its memory it is gone, and beyond its CPU it just gets slower.",
        "Using more RAM than allowed kills the pod; memory cannot be squeezed, it just dies.",
    ],
    "three_probes": [
        "I set up readiness, liveness and startup probes.",
        "A startup probe gives the weights time to load.",
        "Until the readiness check passes, the Service sends no requests.",
        "Liveness is for a process that is deadlocked.",
        "The pod gets no traffic until the model is loaded.",
        "It should not route to a pod before the session is warm.",
    ],
    "clean_shutdown": [
        "Handle SIGTERM and finish what is in flight.",
        "Use tini as PID 1.",
        'ENTRYPOINT in exec form, ["python", "serve.py"].',
        "A preStop sleep lets the endpoints update, then it drains within the grace period.",
        "Otherwise sh swallows the signal.",
        "Graceful shutdown matters in rolling updates.",
        "Stop accepting, finish, exit.",
    ],
    "second_replica": [
        "If a pod crashes, nginx retries on the next upstream.",
        "Predictions are idempotent, so they can be sent again.",
        "Run at least two replicas: when one dies the others take over.",
        "The mesh resends a failed request to a healthy instance.",
        "Set proxy_next_upstream for connection errors.",
        "A failed request can go to the other pod, since predict is pure.",
    ],
    "scaling_needs_inputs": [
        "The HPA needs resource requests and a metric like queue length.",
        "Without room for them the pods stay Pending, so I add the cluster autoscaler.",
        "Scale on in-flight requests rather than CPU.",
        "The service must be stateless to be replicated.",
        "Karpenter adds nodes; KEDA adds pods.",
    ],
    "weights_in_or_out": [
        "Large weights are downloaded from S3 by an init container.",
        "A 10 GB image takes minutes to pull on each node.",
        "Small models can be baked into the image.",
        "Mount the weights from a PVC.",
        "I keep checkpoints outside the image.",
    ],
}

DENIED = {
    "small_image": "There is no need for a multi-stage build.",
    "least_privilege": "A seccomp profile is overkill.",
    "three_probes": "You do not need readiness and liveness probes.",
    "clean_shutdown": "Graceful shutdown is not necessary.",
    "no_security_boundary": "It is pointless to run it in gVisor.",
    "scaling_needs_inputs": "You never need a cluster autoscaler.",
    "same_bytes": "We don't need to pin images by digest.",
}

FLAGGED = {
    "latest_in_production": [
        "The deployment uses model-server:latest.",
        "We pull the latest image at every restart so that prod is up to date.",
        "With imagePullPolicy: Always the nodes get the newest version.",
        "In k8s we always run the latest build.",
        "We tag latest and restart.",
    ],
    "as_good_as_a_vm": [
        "A container is basically a lightweight VM.",
        "Docker gives the same isolation as a virtual machine.",
        "Code from users can be run safely, since it is in a container.",
        "Containers are fully isolated from the host.",
        "Whatever is inside cannot escape from the container.",
    ],
    "root_is_harmless": [
        "Running as root is fine, it is only a container.",
        "Root in the container is not the real root, so don't worry.",
        "We stay root to avoid permission problems.",
        "There is no need for a separate user in the Dockerfile.",
    ],
    "deleted_in_a_later_layer": [
        "COPY the key, pip install, then RUN rm on it.",
        "The SSH key is removed afterwards, so the image is clean.",
        "I put the token in for the download and delete it in a later step.",
        "We remove the credentials at the end of the Dockerfile.",
    ],
    "liveness_predicts": [
        "livenessProbe: run a prediction on a sample row every ten seconds.",
        "For liveness I call the model with a real request.",
        "Liveness should restart pods that are too slow.",
        "The health check makes a test prediction and Kubernetes restarts the pod if it fails.",
    ],
    "scales_by_itself": [
        "Kubernetes scales by itself.",
        "Autoscaling means that we don't have to worry about traffic.",
        "K8s takes care of the load.",
        "With the HPA no capacity planning is needed.",
        "When it gets busy it just adds pods as needed.",
    ],
    "kill_is_enough": [
        "You don't need to handle SIGTERM.",
        "On a rollout the old pods are killed and the clients just retry.",
        "Kubernetes takes care of the shutdown.",
        "A kill -9 is good enough.",
        "Clients have retries, so stopping abruptly is no problem.",
        "Nothing special is needed when it is terminated.",
    ],
}

REJECTED = [
    "Never deploy the tag latest.",
    "With model:latest nobody knows which build is running.",
    "A container is not as isolated as a virtual machine.",
    "It is a misconception that containers are lightweight VMs.",
    "Do not run as root, even inside the container.",
    "It's a mistake to think that root is harmless inside the container.",
    "A key that is copied in and deleted later still sits in the earlier layer.",
    "The liveness probe must not make a prediction.",
    "A liveness probe that runs inference causes restart loops under load.",
    "Kubernetes does not scale by itself.",
    "It scales by itself only if I set requests.",
    "If the server doesn't handle SIGTERM, requests are lost.",
    "It would be wrong to kill the pod and hope that the clients retry.",
]

WHOLE = {
    "experienced": (
        """The unit I ship is an image: CI builds it once, tests it, and the deployment refers
        to its digest, since tags can be overwritten. Two stages, so that gcc and the wheel
        cache stay out of what runs. UID 10001, all capabilities dropped, rootfs read-only. I
        keep in mind that the kernel is shared, so tenant code goes into Firecracker. Memory
        limit: cross it and the OOM killer comes. CPU limit: you are throttled and the p99
        suffers, so I set the intra-op threads to match. Startup probe while the session
        loads, readiness for traffic, liveness cheap. The entry point is in exec form, so
        uvicorn is PID 1 and drains on SIGTERM. Behind it the ingress tries another pod if a
        connection breaks, which is harmless because scoring is idempotent. For scaling the HPA
        looks at in-flight requests, not CPU, and the cluster autoscaler keeps some headroom.
        The 40 MB model sits in the image; for an LLM I would mount the weights from a volume,
        or every new pod pulls a 20 GB image first.""",
        set(SAID),
        set(),
    ),
    "textbook": (
        """Docker packages the application with its dependencies, so it works on every
        machine. I write a Dockerfile, copy the model and the code, install requirements, and
        expose port 8000. Then I push it to a registry and write a Deployment and a Service in
        YAML. Kubernetes restarts failed containers and does rolling updates.""",
        set(),
        set(),
    ),
    "wrong": (
        """I take the full python image and tag it model:latest so the cluster always has the
        newest version. It runs as root, but that's fine because it is only inside the
        container. A container is like a small virtual machine, so customers' models can be
        loaded safely. The API key is copied in for the download and removed in the next step.
        The liveness probe calls predict with a real row, and slow pods get restarted. The
        autoscaler takes care of the traffic. At shutdown nothing has to be done, the clients
        try again.""",
        set(),
        set(FLAGGED),
    ),
    "denying": (
        """Multi-stage builds are overkill. You don't need a non-root user for an internal
        service, and readiness probes are unnecessary if the model loads quickly. I would not
        bother with digests.""",
        set(),
        {"root_is_harmless"},
    ),
    "beside the point": (
        """The latest research shows that smaller models are enough. Root causes of an incident
        are written down, the first stage of the project was a prototype, and our team shares
        one budget. We kill experiments that do not work. I scale the features before
        training, and the requests of customers are answered within a day.""",
        set(),
        set(),
    ),
}  # fmt: skip
"""Whole answers, labelled by reading them: the points they make, the red flags they raise."""


class TestCard02(HearsWhatIsMeant):
    """Each of the words above, tried on the card."""

    words = Words(
        card="02", said=SAID, denied=DENIED, flagged=FLAGGED, rejected=REJECTED, whole=WHOLE
    )
